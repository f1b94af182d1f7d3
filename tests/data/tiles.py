"""A made-up official format: a folder of `.npy` images per split, with a depth map each."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, take_stock
from mtl_bench.data.sources import SourceFile

REMEDIES = {"image": "download tiles.zip from Tilers", "depth": "download depths.zip from Tilers"}


@dataclass(frozen=True)
class Tiles(OfficialDataset):
    """`side` × `side` tiles; `seconds` is how long one takes to read."""

    name: str = "tiles"
    count: int = 12
    side: int = 16
    seconds: float = 0

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, self.side, self.side), "uint8/255"),
            "depth": Field("float32", (1, self.side, self.side), {"name": "number", "invalid": 0}, "m", "depth"),
            "row": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        sizes = {"train": self.count, "test": self.count // 2}
        expected = {
            split: [
                Sample(f"{split}/{row}", {kind: folder / split / kind / f"{row}.npy" for kind in REMEDIES}, row)
                for row in range(size)
            ]
            for split, size in sizes.items()
        }
        return take_stock("tiles of the tests", expected, REMEDIES)

    def read(self, sample: Sample) -> Arrays:
        time.sleep(self.seconds)
        arrays = {}
        for kind, path in sample.files.items():
            with SourceFile(path, REMEDIES[kind]).structure("no NumPy file"):
                arrays[kind] = np.load(path)
        return {**arrays, "row": np.array(sample.row, np.int32)}


def write_tiles(folder: Path, count: int = 12, side: int = 16) -> Path:
    draw = np.random.RandomState(0)
    for split, size in (("train", count), ("test", count // 2)):
        for row in range(size):
            image = draw.randint(0, 256, (3, side, side)).astype(np.uint8)
            depth = draw.rand(1, side, side).astype(np.float32)
            for kind, array in (("image", image), ("depth", depth)):
                path = folder / split / kind / f"{row}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, array)
    return folder
