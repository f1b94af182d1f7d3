"""CelebA from its official files: faces with forty attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.celeba_txt import (
    ATTRIBUTES,
    IMAGES,
    NAMES,
    PARTS,
    REMEDIES,
    SPLITS,
    read_attributes,
    read_parts,
)
from mtl_bench.data.formats.picture_files import read_photo
from mtl_bench.data.maps.resizing import resized
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, Tally, take_stock
from mtl_bench.errors import BenchError


@dataclass(frozen=True, kw_only=True)
class CelebA(OfficialDataset):
    """CelebA (Liu, Luo, Wang, Tang, ICCV 2015): 162,770 training, 19,867 validation and 19,962 test faces.

    The aligned and cropped images, 178×218, resized to `size` × `size` (bilinear with antialiasing by Pillow, as
    torchvision resizes them in published code), and one field per attribute under its official name: 1 it is there, 0
    it is not. `number` is that of the image's file.

    Raises BenchError for a size below 1.
    """

    name: str = "celeba"
    size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1:
            raise BenchError(f"Dataset {self.name}: size is in pixels, from 1 on, got {self.size}.")

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, self.size, self.size), "uint8/255"),
            **{name: Field("int8", (), "class") for name in NAMES},
            "number": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "CelebA, official files"
        paths = {name: _located(folder, "*", name) for name in (ATTRIBUTES, PARTS)}
        tallies = [Tally("", name, int(path.is_file()), int(not path.is_file())) for name, path in paths.items()]
        if missing := [f"{path} is missing; {REMEDIES[name]}." for name, path in paths.items() if not path.is_file()]:
            return Inventory(source, {}, tallies, fatal=missing)
        names, _ = read_attributes(paths[ATTRIBUTES])
        faces = _located(folder, "*.jpg", IMAGES)
        expected: dict[str, list[Sample]] = {split: [] for split in SPLITS}
        for row, (name, split) in enumerate(zip(names, read_parts(paths[PARTS], names), strict=True)):
            expected[split].append(Sample(name, {IMAGES: faces / name, ATTRIBUTES: paths[ATTRIBUTES]}, row))
        stock = take_stock(source, expected, REMEDIES)
        return replace(stock, tallies=[*tallies, *(tally for tally in stock.tallies if tally.files == IMAGES)])

    def read(self, sample: Sample) -> Arrays:
        names, attributes = read_attributes(sample.files[ATTRIBUTES])
        values = dict(zip(NAMES, attributes[sample.row], strict=True))
        number = Path(names[sample.row]).stem
        return {
            "image": resized(read_photo(sample.files[IMAGES], REMEDIES[IMAGES]), (self.size, self.size)),
            **{name: np.array(value, np.int8) for name, value in values.items()},
            "number": np.array(int(number) if number.isdecimal() else sample.row + 1, np.int32),
        }


def _located(folder: Path, inside: str, name: str) -> Path:
    """A file, or a folder with such files `inside`: here or up to two folders deeper; else where it should be."""
    places = [place for depth in ("", "*/", "*/*/") for place in sorted(folder.glob(f"{depth}{name}"))]
    held = [place for place in places if place.is_file() or next(place.glob(inside), None)]
    return held[0] if held else folder / name
