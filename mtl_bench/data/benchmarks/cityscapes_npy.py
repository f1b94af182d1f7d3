"""Cityscapes as MTAN's authors preprocessed it, the copy that most papers since train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.copies import check_place
from mtl_bench.data.formats.mtan_npy import REMEDY, npy_samples, read_labels, read_planes
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, take_stock
from mtl_bench.data.official.held_out import hold_out
from mtl_bench.errors import check_choices

SIZE = (128, 256)
COUNTS = {"train": 2975, "test": 500}  # of the official train and val


@dataclass(frozen=True, kw_only=True)
class CityscapesNpy(OfficialDataset):
    """The preprocessed Cityscapes of MTAN, CAGrad, Nash-MTL, FAMO and LibMTL: 128×256, 7 or 19 classes, inverse depth.

    Numbers are kept as they are, in float32 as every loader reads them. Depth 0 is no label. How the inverse depth was
    made and which `classes` the 7 are is not published, so boards of them and of the official files do not compare. The
    frames are the official training frames and, as `test`, the official `val`, which is called so there too.

    Labels lie in `label_7` or `label_19`; the 7 may lie in `label`, as LibMTL has them. `val` training frames, drawn
    with `data_seed`, are held out.

    Raises BenchError for another number of classes.
    """

    name: str = "cityscapes_npy"
    classes: Literal[7, 19] = 7
    val: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("float32", (3, *SIZE), "float"),
            "segmentation": Field("int8", SIZE, "class", "", "map"),
            "depth": Field("float32", (1, *SIZE), {"name": "number", "invalid": 0.0}, "", "depth"),
            "frame": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        variant = "MTAN's preprocessed copy of Cityscapes"
        check_place(folder, "cityscapes_npy")
        kinds = {"image": "image", "segmentation": self._labels(folder), "depth": "depth"}
        expected = hold_out(npy_samples(folder, kinds, COUNTS), self.val, self.data_seed)
        return take_stock(variant, expected, dict.fromkeys(kinds, REMEDY), variant)

    def read(self, sample: Sample) -> Arrays:
        return {
            "image": read_planes(sample.files["image"], (3, *SIZE)),
            "segmentation": read_labels(sample.files["segmentation"], SIZE, self.classes),
            "depth": read_planes(sample.files["depth"], (1, *SIZE)),
            "frame": np.array(sample.row, np.int32),
        }

    def _labels(self, folder: Path) -> str:
        named = f"label_{self.classes}"
        plain = self.classes == 7 and not (folder / "train" / named).is_dir()
        return "label" if plain and (folder / "train" / "label").is_dir() else named
