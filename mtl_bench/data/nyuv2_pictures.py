"""NYU Depth v2 in copies whose columns are pictures, of the frames as published."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.hub_copy import ROWS
from mtl_bench.data.formats.nyuv2_mat import TO_13
from mtl_bench.data.formats.parquet_rows import as_picture
from mtl_bench.data.hub_dataset import HeldOut, HubDataset
from mtl_bench.data.nyuv2 import BOX, HEIGHT, WIDTH
from mtl_bench.data.official import Sample
from mtl_bench.data.resizing import nearest, resized
from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import check_choices


@dataclass(frozen=True, kw_only=True)
class NYUv2Pictures(HubDataset):
    """Frames of 480 × 640 as parquet rows or picture folders: a picture, one of 40 numbered classes, millimetres.

    `classes` are the 40 of Gupta et al. or the 13 of Couprie et al., unlabelled is -1. `height` 480 is the frame, 288
    (× 384) the size of the MTAN family, resized as `nyuv2` does. Depth 0 is no label, nor is what lies outside the part
    of the frame that both cameras see. There are no normals. `frame` is the row in the split.

    Raises BenchError for other values.
    """

    classes: Literal[13, 40] = 13
    height: Literal[288, 480] = 288

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @abstractmethod
    def numbers(self, stored: Shaped[np.ndarray, "480 640"], file: SourceFile) -> Shaped[np.ndarray, "480 640"]:
        """Class numbers from 1 to 40, 0 for none, of the stored ones."""

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.height * WIDTH // HEIGHT

    @property
    def fields(self) -> Mapping[str, Field]:
        millimetres = {"name": "number", "scale": 1000, "invalid": 0}
        return {
            "image": Field("uint8", (3, *self.size), "uint8/255"),
            "segmentation": Field("int8", self.size, "class", "", "map"),
            "depth": Field("uint16", (1, *self.size), millimetres, "m", "depth"),
            "frame": Field("int32", (), "index"),
        }

    def read(self, sample: Sample) -> Arrays:
        image = self._pixels(sample, "image", (HEIGHT, WIDTH, 3))
        millimetres = self._pixels(sample, "depth", (HEIGHT, WIDTH))
        place = self._source(sample, "depth")
        place.require(millimetres.dtype.itemsize > 1, "holds depth of 8 bits, and millimetres need 16")
        seen = np.zeros((HEIGHT, WIDTH), np.uint16)
        seen[BOX] = millimetres[BOX]
        stored = self._pixels(sample, "segmentation", (HEIGHT, WIDTH))
        numbers = self.numbers(stored.astype(np.int64), self._source(sample, "segmentation"))
        onwards = np.array((0, *(TO_13 if self.classes == 13 else range(1, 41))), np.int8) - 1
        rows, cols = (nearest(new, old) for new, old in zip(self.size, (HEIGHT, WIDTH), strict=True))
        return {
            "image": resized(image.transpose(2, 0, 1), self.size),
            "segmentation": onwards[numbers[rows[:, None], cols]],
            "depth": seen[None, rows[:, None], cols],
            "frame": np.array(int(sample.name.rpartition("/")[2]), np.int32),
        }

    def _pixels(self, sample: Sample, field: str, shape: tuple[int, ...]) -> Shaped[np.ndarray, "480 640 *channels"]:
        file = self._source(sample, field)
        if ROWS in sample.files:
            pixels = as_picture(self.cells(sample)[field], file)
        else:
            with file.structure("truncated, damaged or no picture"):
                pixels = np.asarray(Image.open(file.path))
        file.require(pixels.shape == shape, f"holds {field} of the shape {pixels.shape} instead of {shape}")
        return pixels

    def _source(self, sample: Sample, field: str) -> SourceFile:
        return self.file(sample, ROWS if ROWS in sample.files else self.columns[field])


@dataclass(frozen=True, kw_only=True)
class NYUv2Jagennath(NYUv2Pictures):
    """`jagennath-hari/nyuv2`: all 1,449 frames in another split than the official one, 1,014 / 290 / 145.

    Its `semantic` holds class · 65535 / 40, which is undone; that 0 is unlabelled, and that depth is millimetres, is
    inferred.

    Raises BenchError where a stored number is no class.
    """

    copy: ClassVar[str] = "nyuv2_jagennath"
    name: str = "nyuv2_jagennath"

    @property
    def columns(self) -> Mapping[str, str]:
        return {"image": "rgb", "segmentation": "semantic", "depth": "depth"}

    def numbers(self, stored: Shaped[np.ndarray, "480 640"], file: SourceFile) -> Shaped[np.ndarray, "480 640"]:
        numbers = (stored * 40 + 32767) // 65535
        odd = np.abs(stored * 40 - numbers * 65535) >= 40  # a stored number is less than 1 from where its class lies
        file.require(not odd.any(), f"holds {stored[odd].max(initial=0)} in `semantic`, no class times 65535 / 40")
        return numbers


@dataclass(frozen=True, kw_only=True)
class NYUv2Wyrx(HeldOut, NYUv2Pictures):
    """`wyrx/NYUDepthv2_seg`: 795 and 654 frames, which is taken for the official split by its sizes.

    That its `label` counts the 40 classes from 1, with 0 for unlabelled, and that depth is millimetres, is inferred.
    `val` training frames, drawn with `data_seed`, are held out; `libmtl` holds out the places that LibMTL published,
    whose order need not be this copy's.

    Raises BenchError where a stored number is no class.
    """

    copy: ClassVar[str] = "nyuv2_wyrx"
    name: str = "nyuv2_wyrx"

    @property
    def columns(self) -> Mapping[str, str]:
        return {"image": "image", "segmentation": "label", "depth": "depth"}

    def numbers(self, stored: Shaped[np.ndarray, "480 640"], file: SourceFile) -> Shaped[np.ndarray, "480 640"]:
        file.require(stored.max() <= len(TO_13), f"holds the label {stored.max()}, and classes go from 1 to 40")
        return stored
