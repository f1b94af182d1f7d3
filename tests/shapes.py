"""A toy dense dataset with a model for it: bright rectangles, where they are and how far away."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.packed import Field, Manifest, write_packed
from mtl_bench.models.base import MultiTaskModel

HEIGHT, WIDTH, TEST = 6, 8, 5
METRICS = {"region": ["pixel_accuracy"], "far": ["abs_err"], "facing": ["mean"], "edge": ["loss"]}
NODES: dict[str, Any] = {
    "dataset": {"_target_": "tests.shapes.Shapes"},
    "model": {"_target_": "tests.shapes.Convolutions"},
    "tasks": {
        "region": {"_target_": "mtl_bench.tasks.Segmentation", "classes": 3},
        "far": {
            "_target_": "mtl_bench.tasks.Depth",
            "encoding": {"_target_": "mtl_bench.tasks.encodings.Affine", "shift": 5.0, "scale": 4.0},
        },
        "facing": {"_target_": "mtl_bench.tasks.Normals"},
        "edge": {"_target_": "mtl_bench.tasks.Edges"},
        "bright": {"_target_": "mtl_bench.tasks.Classification", "classes": 2},
    },
}


@dataclass(frozen=True)
class Shapes(Dataset):
    """Classes with -1 in a corner, metres with NaN in a corner, unit vectors, edges as classes, and a label."""

    name: str = "shapes"

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, HEIGHT, WIDTH), "uint8/255"),
            "region": Field("int8", (HEIGHT, WIDTH), "class", kind="map"),
            "far": Field("float32", (1, HEIGHT, WIDTH), "float", "m", "depth"),
            "facing": Field("int8", (3, HEIGHT, WIDTH), "int8/127", kind="normal"),
            "edge": Field("int8", (HEIGHT, WIDTH), "class", kind="map"),
            "bright": Field("int8", (), "class"),
        }

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        draw = np.random.RandomState(0)
        arrays = {split: draw_shapes(draw, size) for split, size in (("train", 24), ("val", 4), ("test", TEST))}
        return write_packed(folder, self.name, arrays, self.fields, "drawn", self.parameters)


class Convolutions(MultiTaskModel):
    """One 3×3 convolution, a norm, dropout, and a 1×1 convolution per dense task."""

    def __init__(self, outputs: Mapping[str, int], input_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(input_shape[0], 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2)
        )
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, n))
                if name == "bright"
                else nn.Conv2d(8, n, 1)
                for name, n in outputs.items()
            }
        )

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [self.encoder(image)]


def draw_shapes(draw: np.random.RandomState, size: int) -> dict[str, np.ndarray]:
    region = np.kron(draw.randint(0, 3, (size, 2, 2)), np.ones((HEIGHT // 2, WIDTH // 2), int)).astype(np.int8)
    image = (80 * region[:, None] + draw.randint(0, 60, (size, 3, HEIGHT, WIDTH))).astype(np.uint8)
    far = 2.0 + 3.0 * region[:, None].astype(np.float32)
    facing = np.zeros((size, 3, HEIGHT, WIDTH), np.int8)
    facing[:, 2] = -127
    edge = (np.diff(region, axis=2, append=region[..., -1:]) != 0).astype(np.int8)
    far[:, :, -1, -1] = np.nan
    region[:, 0, 0] = edge[:, 0, 0] = -1
    facing[:, :, 0, -1] = -128
    bright = (region.mean(axis=(1, 2)) > 1).astype(np.int8)
    return {"image": image, "region": region, "far": far, "facing": facing, "edge": edge, "bright": bright}
