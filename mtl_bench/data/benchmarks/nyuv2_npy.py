"""NYU Depth v2 as MTAN's authors preprocessed it, the copy that most papers since train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_bench.data.benchmarks.nyuv2_validation import Val, nyuv2_held_out
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.copies import check_place
from mtl_bench.data.formats.mtan_npy import REMEDY, npy_samples, read_labels, read_planes
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, take_stock

SIZE = (288, 384)
CLASSES = 13
COUNTS = {"train": 795, "test": 654}  # of the official split
FOLDERS = {"image": "image", "segmentation": "label", "depth": "depth", "normal": "normal"}


@dataclass(frozen=True, kw_only=True)
class NYUv2Npy(OfficialDataset):
    """The preprocessed NYUv2 of MTAN, CAGrad, Nash-MTL, FAMO and LibMTL: 288×384, 13 classes, depth, normals.

    Numbers are kept as they are, in float32 as every loader reads them. Depth 0 and normals (0, 0, 0) are no label. How
    the files were made is not published (normals are precomputed ones by Eigen), so boards of them and of the official
    files do not compare. The frames are those of the official split; their test set, called `val` there, is `test`.

    `val` training frames, drawn with `data_seed`, are held out; `libmtl` holds out the 159 that LibMTL published.
    """

    name: str = "nyuv2_npy"
    val: Val = 0
    data_seed: int = 0

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("float32", (3, *SIZE), "float"),
            "segmentation": Field("int8", SIZE, "class", "", "map"),
            "depth": Field("float32", (1, *SIZE), {"name": "number", "invalid": 0.0}, "m", "depth"),
            "normal": Field("float32", (3, *SIZE), "float", "", "normal"),
            "frame": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        variant = "MTAN's preprocessed copy of NYUv2"
        check_place(folder, "nyuv2_npy")
        expected = nyuv2_held_out(npy_samples(folder, FOLDERS, COUNTS), self.val, self.data_seed)
        return take_stock(variant, expected, dict.fromkeys(FOLDERS, REMEDY), variant)

    def read(self, sample: Sample) -> Arrays:
        planes = {
            name: read_planes(sample.files[name], (channels, *SIZE))
            for name, channels in (("image", 3), ("depth", 1), ("normal", 3))
        }
        planes["normal"][:, (planes["normal"] == 0).all(axis=0)] = np.nan
        labels = read_labels(sample.files["segmentation"], SIZE, CLASSES)
        return {**planes, "segmentation": labels, "frame": np.array(sample.row, np.int32)}
