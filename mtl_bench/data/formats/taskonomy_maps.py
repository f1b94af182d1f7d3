"""Taskonomy's pictures, 512×512, one per view and task: what their numbers mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from mtl_bench.data.encoding import Written
from mtl_bench.data.fields import Field
from mtl_bench.data.sources import SourceFile

SIDE = 512
STEPS = 512  # of depth per metre
NONE = 65535  # of depth: no surface, or one beyond 128 m
RGB = "rgb"
SEMANTIC_CLASSES = 18  # 0: uncertain


@dataclass(frozen=True)
class TaskMap:
    """How a task's numbers are read and stored.

    `colours` is the number of channels of its PNG (0: grey), of which the first `channels` are stored. `blank` is
    written where depth has no value (None: the task has one there all the same); `unmasked` is the encoding without it
    (None: the same).
    """

    colours: int
    channels: int
    dtype: str
    encoding: Written
    blank: int | None = None
    unmasked: Written | None = None
    kind: str = "map"
    unit: str = ""
    bits: str = "uint8"

    def field(self, side: int, masked: bool) -> Field:
        encoding = self.encoding if masked or self.unmasked is None else self.unmasked
        shape = (self.channels, side, side) if self.channels else (side, side)
        return Field(self.dtype, shape, encoding, self.unit, self.kind)


METRES = {"name": "number", "scale": STEPS}
SHARES = {"name": "number", "scale": 65535}  # of the highest response
DEPTH = TaskMap(0, 1, "uint16", {**METRES, "invalid": NONE}, NONE, METRES, "depth", "m", bits="uint16")
RESPONSE = TaskMap(0, 1, "uint16", SHARES, bits="uint16")
OCCLUSION = TaskMap(0, 1, "uint16", {**SHARES, "invalid": NONE}, NONE, SHARES, bits="uint16")
# x right, y down, z away from the camera, as the package has them; grey where depth has no value
NORMAL = TaskMap(3, 3, "uint8", {"name": "normal"}, 128, {"name": "number", "scale": 127.5, "offset": 127.5}, "normal")
# all numbers of a byte are taken, so that "none" needs a second one
CURVATURE = TaskMap(3, 2, "int16", {"name": "number", "offset": 127, "invalid": -1}, -1)
RESHADING = TaskMap(3, 1, "int16", {"name": "number", "scale": 255, "invalid": -1}, -1)  # three equal channels
IDS = TaskMap(0, 1, "uint8", "uint8/255")  # of one picture only: numbers, and no classes
MAPS: Mapping[str, TaskMap] = {
    "depth_euclidean": DEPTH,
    "depth_zbuffer": DEPTH,
    "edge_occlusion": OCCLUSION,
    "edge_texture": RESPONSE,
    "keypoints2d": RESPONSE,
    "keypoints3d": RESPONSE,
    "normal": NORMAL,
    "principal_curvature": CURVATURE,
    "reshading": RESHADING,
    "segment_unsup2d": IDS,
    "segment_unsup25d": IDS,
    "segment_semantic": TaskMap(0, 0, "uint8", {"name": "class", "ignore": [0]}),
}
IMAGE = TaskMap(3, 3, "uint8", "uint8/255", kind="")


def read_map(path: Path, task: str) -> Shaped[np.ndarray, "channels height width"]:
    """One PNG as it lies there, channels first.

    Raises BenchError for another picture.
    """
    file, told = SourceFile(path, f"download the {task} files of its building again"), MAPS.get(task, IMAGE)
    with file.structure("truncated, damaged or no PNG"), Image.open(path) as picture:
        stored = np.asarray(picture)
    shape = (SIDE, SIDE, told.colours) if told.colours else (SIDE, SIDE)
    found, expected = f"{stored.dtype} {list(stored.shape)}", f"{told.bits} {list(shape)}"
    file.require(found == expected, f"holds {found} instead of {expected}")
    if task == "segment_semantic":
        file.require(int(stored.max()) < SEMANTIC_CLASSES, f"holds class {stored.max()} of {SEMANTIC_CLASSES}")
    return stored[..., : told.channels].transpose(2, 0, 1) if told.colours else stored[None]
