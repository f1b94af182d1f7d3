"""Cityscapes from its official files: classes and depth of street scenes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.cityscapes_files import (
    ARCHIVES,
    CLASSES,
    COUNTS,
    PAGE,
    REMEDIES,
    SIZE,
    frame_files,
    frame_names,
    frame_number,
    official_folders,
    read_disparity,
    read_focal_baseline,
    read_ids,
    read_street,
)
from mtl_bench.data.formats.copies import check_place
from mtl_bench.data.maps.resizing import nearest, resized
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, Tally, take_stock
from mtl_bench.data.official.held_out import hold_out
from mtl_bench.errors import check_choices

SPLITS = {"train": "train", "test": "val"}  # the labels of the official test frames are kept back


@dataclass(frozen=True, kw_only=True)
class Cityscapes(OfficialDataset):
    """Cityscapes, finely labelled frames (Cordts et al. 2016): 2,975 for training, and the official 500 of `val`.

    The official `val` is `test` here, as in published tables, since the labels of the official test frames are dummies.
    `val` training frames, drawn with `data_seed`, are held out; whole cities they are not.

    `classes` are the 19 that are evaluated or the 7 categories of the official table without `void` (flat,
    construction, object, nature, sky, human, vehicle: what MTAN's 7 are is not published, and this is inferred from
    their number); all else is -1. `height` 1024 is the frame as published, 128 (× 256) the size of the MTAN family and
    256 (× 512) the next usual one: images bilinear with antialiasing, all else the nearest pixel, so that neither
    classes nor disparities mix, with each other or with unknown ones.

    `depth="inverse"` is the disparity of the full frame in pixels, divided by 256: (p - 1) / 65536 of the stored 16-bit
    p, from 0 (infinitely far) to 0.5; 0 in the file is no label. The published inverse depth of the MTAN family has
    that range too, but how it was made is not published. `"metres"` is baseline × focal length / disparity with the
    camera of each frame; infinitely far is no label then.

    Raises BenchError for other values, and for a `val` that leaves no training frame.
    """

    name: str = "cityscapes"
    classes: Literal[7, 19] = 7
    height: Literal[128, 256, 1024] = 128
    depth: Literal["inverse", "metres"] = "inverse"
    val: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def size(self) -> tuple[int, int]:
        return self.height, 2 * self.height

    @property
    def fields(self) -> Mapping[str, Field]:
        stored = {"name": "number", "scale": 65536, "offset": 1, "invalid": 0}
        depths = {
            "inverse": Field("uint16", (1, *self.size), stored, "", "depth"),
            "metres": Field("float32", (1, *self.size), {"name": "number", "invalid": 0.0}, "m", "depth"),
        }
        return {
            "image": Field("uint8", (3, *self.size), "uint8/255"),
            "segmentation": Field("int8", self.size, "class", "", "map"),
            "depth": depths[self.depth],
            "frame": Field("int32", (3,), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "Cityscapes, official files"
        kinds = [kind for kind in ARCHIVES if kind != "camera" or self.depth == "metres"]
        folders = official_folders(folder, kinds)
        names = {split: frame_names(folders, part) for split, part in SPLITS.items()}
        if not any(names.values()):
            check_place(folder, "cityscapes")
            zips = ", ".join(ARCHIVES[kind].zip for kind in kinds)
            nothing = f"{folder} holds no official file; download {zips} from {PAGE} and unpack them there."
            tallies = [Tally("", ARCHIVES[kind].folder, 0, missing=1) for kind in kinds]
            return Inventory(source, {}, tallies, fatal=[nothing])
        expected = hold_out(
            {
                split: [Sample(name, frame_files(folders, SPLITS[split], name)) for name in names[split]]
                for split in SPLITS
            },
            self.val,
            self.data_seed,
        )
        inventory = take_stock(source, expected, REMEDIES)
        nowhere = {split: _nowhere(folder, split, len(found)) for split, found in names.items()}
        lost = {split: [*inventory.lost.get(split, ()), *nowhere.get(split, ())] for split in expected}
        return replace(
            inventory,
            tallies=[replace(row, missing=row.missing + len(nowhere.get(row.split, ()))) for row in inventory.tallies],
            lost={split: told for split, told in lost.items() if told},
            fatal=[f"{path} is missing; {REMEDIES[kind]}." for kind, path in folders.items() if not path.is_dir()],
        )

    def read(self, sample: Sample) -> Arrays:
        rows, cols = (nearest(new, old) for new, old in zip(self.size, SIZE, strict=True))
        ids = np.array(CLASSES[self.classes], np.int8)
        disparity = read_disparity(sample.files["depth"])[rows[:, None], cols]
        if self.depth == "metres":
            at_one_pixel = read_focal_baseline(sample.files["camera"])
            pixels = np.maximum(disparity.astype(np.float32) - 1, 0) / 256
            depth = np.divide(at_one_pixel, pixels, out=np.zeros_like(pixels), where=pixels > 0)
        else:
            depth = disparity
        return {
            "image": resized(read_street(sample.files["image"]), self.size),
            "segmentation": ids[read_ids(sample.files["segmentation"])[rows[:, None], cols]],
            "depth": depth[None],
            "frame": np.array(frame_number(sample.name), np.int32),
        }


def _nowhere(folder: Path, split: str, found: int) -> list[str]:
    """A sentence for each frame of which no file is there: nobody can say its name."""
    part, count = SPLITS[split], COUNTS[SPLITS[split]]
    numbers = range(found + 1, count + 1)
    return [f"Frame {n} of {count} of `{part}` has no file in {folder}; unpack the archives again." for n in numbers]
