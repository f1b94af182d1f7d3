"""NYU Depth v2 from its official files: classes, depth and surface normals of 1,449 indoor frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mtl_bench.data.benchmarks.nyuv2_validation import Val, nyuv2_held_out
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.copies import check_place
from mtl_bench.data.formats.nyuv2_mat import (
    CLASSES_40,
    FRAMES,
    REMEDIES,
    SPLITS,
    check_frames,
    read_class_ids,
    read_frame,
    read_splits,
)
from mtl_bench.data.formats.nyuv2_normals import AXES, FIELDS, NORMALS, check_axes, read_normals
from mtl_bench.data.maps.plane_normals import Pinhole, plane_normals
from mtl_bench.data.maps.resizing import nearest, resized
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, Tally, take_stock
from mtl_bench.errors import check_choices

HEIGHT, WIDTH = 480, 640
BOX = (slice(45, 471), slice(41, 601))  # what both cameras see; outside lie a white frame and made-up depths
# The colour camera of the official toolbox, whose first pixel is 1.
CAMERA = Pinhole(fx=518.8579, fy=519.4696, cx=325.5824 - 1, cy=253.7362 - 1)
STORED = {"filled": "depths", "raw": "rawDepths"}


@dataclass(frozen=True, kw_only=True)
class NYUv2(OfficialDataset):
    """NYU Depth v2 (Silberman et al. 2012): 795 training and 654 test frames, the official split.

    `classes` are the 40 of Gupta et al. or the 13 of Couprie et al.; 0 in the files, unlabelled, is -1. `height` 480 is
    the frame as published, 288 (× 384) the size of the MTAN family: images bilinear with antialiasing, all else the
    nearest pixel, so that neither classes nor depths across an edge mix. `depth` is the in-filled or the raw one, in
    metres; 0 (missing), and everything outside the part of the frame that both cameras see, is no label.

    The files hold no normals. `normals="depth"` fits planes to the stored depth at full size (`plane_normals`, with
    the toolbox's intrinsics). `png` and `npy` take a folder `normals` beside the file, with `NNNN.png` (n = 2v/255 - 1,
    grey is none) or `NNNN.npy` (480 × 640 × 3, zero is none), NNNN being the frame's number from 0001 on. `axes` says
    which channel of theirs, counted from 1, points right, down and away from the camera, negative where it points the
    other way: [1, -3, 2] for the files of RefineNet-type repositories. Normals of different origin do not compare.

    `val` training frames, drawn with `data_seed`, are held out; `libmtl` holds out the 159 that LibMTL published, whose
    places it counts in MTAN's folder: that they are the same places of the official split is inferred.

    Raises BenchError for other values, and for a `val` that leaves no training frame.
    """

    name: str = "nyuv2"
    classes: Literal[13, 40] = 13
    height: Literal[288, 480] = 288
    depth: Literal["filled", "raw"] = "filled"
    normals: Literal["depth", "png", "npy"] = "depth"
    axes: tuple[int, ...] = AXES
    val: Val = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")
        check_axes(self.name, self.axes)

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.height * WIDTH // HEIGHT

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, *self.size), "uint8/255"),
            "segmentation": Field("int8", self.size, "class", "", "map"),
            "depth": Field("float32", (1, *self.size), {"name": "number", "invalid": 0.0}, "m", "depth"),
            "normal": FIELDS[self.normals](self.size, self.axes),
            "frame": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "NYU Depth v2, official files"
        paths = {name: _located(folder, name) for name in (FRAMES, SPLITS, CLASSES_40)}
        tallies, fatal = [], []
        for name, path in paths.items():
            tallies.append(Tally("", name, int(path.is_file()), int(not path.is_file())))
            if not path.is_file():
                fatal.append(f"{path} is missing; {REMEDIES[name]}.")
        if fatal:
            check_place(folder, "nyuv2")
            return Inventory(source, {}, tallies, fatal=fatal)
        read_class_ids(paths[CLASSES_40], self.classes)
        frames = read_splits(paths[SPLITS], check_frames(paths[FRAMES]))
        expected = nyuv2_held_out(
            {split: [self._sample(paths, number) for number in numbers.tolist()] for split, numbers in frames.items()},
            self.val,
            self.data_seed,
        )
        remedies = {**REMEDIES, NORMALS: f"put a {self.normals} file of normals there"}
        return take_stock(source, expected, remedies)

    def read(self, sample: Sample) -> Arrays:
        path, stored = sample.files[FRAMES], STORED[self.depth]
        frame = read_frame(path, sample.row, ("images", "labels", stored))
        ids = np.array(read_class_ids(sample.files[CLASSES_40], self.classes), np.int8)
        depth = np.zeros_like(frame[stored])
        depth[BOX] = frame[stored][BOX]
        rows, cols = (nearest(new, old) for new, old in zip(self.size, (HEIGHT, WIDTH), strict=True))
        if self.normals == "depth":
            normal = plane_normals(depth, CAMERA, rows, cols).astype(np.float16)
        else:
            normal = read_normals(sample.files[NORMALS], self.axes)[:, rows[:, None], cols]
        return {
            "image": resized(frame["images"], self.size),
            "segmentation": ids[frame["labels"][rows[:, None], cols]],
            "depth": depth[None, rows[:, None], cols],
            "normal": normal,
            "frame": np.array(sample.row + 1, np.int32),
        }

    def _sample(self, paths: Mapping[str, Path], number: int) -> Sample:
        files = dict(paths)
        if self.normals != "depth":
            files[NORMALS] = paths[FRAMES].parent / NORMALS / f"{number:04d}.{self.normals}"
        return Sample(f"{number:04d}", files, number - 1)


def _located(folder: Path, name: str) -> Path:
    """In the folder or in one of its own; where it should be when it is nowhere."""
    return next((path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file()), folder / name)
