"""A toy dataset with one class and one real number per image, some of them unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.packed import Field, Manifest, write_packed


@dataclass(frozen=True)
class Brightness(Dataset):
    """Flat grey images: is it more than half bright, and how bright (a fifth of the values are NaN)."""

    name: str = "brightness"

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (1, 4, 4), "uint8/255"),
            "bright": Field("int8", (), "class"),
            "level": Field("float32", (), "float", "level"),
        }

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        draw = np.random.RandomState(0)
        arrays = {split: self.arrays(draw, unknown=split == "train") for split in ("train", "val", "test")}
        return write_packed(folder, self.name, arrays, self.fields, "drawn", self.parameters)

    def arrays(self, draw: np.random.RandomState, unknown: bool) -> dict[str, np.ndarray]:
        level = draw.rand(200).astype(np.float32)
        image = np.broadcast_to((level * 255).astype(np.uint8)[:, None, None, None], (200, 1, 4, 4)).copy()
        hidden = np.arange(200) % 5 == 0 if unknown else np.zeros(200, bool)
        return {"image": image, "bright": (level > 0.5).astype(np.int8), "level": np.where(hidden, np.nan, level)}
