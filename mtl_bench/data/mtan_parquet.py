"""MTAN's preprocessed NYUv2 and Cityscapes as tanganke copied them into parquet files, arrays with channels first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mtl_bench.data.cityscapes_npy import CityscapesNpy
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.mtan_npy import as_labels
from mtl_bench.data.formats.parquet_rows import as_array
from mtl_bench.data.hub_dataset import HeldOut
from mtl_bench.data.nyuv2_npy import CLASSES, NYUv2Npy
from mtl_bench.data.official import Sample
from mtl_bench.errors import check_choices


@dataclass(frozen=True, kw_only=True)
class MtanParquet(HeldOut):
    """Numbers are kept as they are, in float32; invalid ones become no label. `frame` is the row in the split."""

    def arrays(self, sample: Sample, classes: int) -> Arrays:
        cells, file = self.cells(sample), self.file(sample)
        planes = {name: as_array(cell, file, *_shapes(self.fields[name])) for name, cell in cells.items()}
        labels = as_labels(planes.pop("segmentation"), classes, file)
        arrays = {name: np.array(plane, np.float32).reshape(self.fields[name].shape) for name, plane in planes.items()}
        if "normal" in arrays:
            arrays["normal"][:, (arrays["normal"] == 0).all(axis=0)] = np.nan
        row = int(sample.name.rpartition("/")[2])
        return {**arrays, "segmentation": labels, "frame": np.array(row, np.int32)}


@dataclass(frozen=True, kw_only=True)
class NYUv2Parquet(MtanParquet):
    """`tanganke/nyuv2`: what `nyuv2_npy` packs, read from parquet files; the official split, its `val` as `test`.

    `val` training frames, drawn with `data_seed`, are held out; `libmtl`: the 159 that LibMTL published, provided the
    copy keeps MTAN's order, which is inferred.
    """

    copy: ClassVar[str] = "nyuv2_parquet"
    name: str = "nyuv2_parquet"

    @property
    def fields(self) -> Mapping[str, Field]:
        return NYUv2Npy().fields

    @property
    def columns(self) -> Mapping[str, str]:
        return {name: name for name in self.fields if name != "frame"}

    def read(self, sample: Sample) -> Arrays:
        return self.arrays(sample, CLASSES)


@dataclass(frozen=True, kw_only=True)
class CityscapesParquet(MtanParquet):
    """`tanganke/cityscapes`: what `cityscapes_npy` packs, read from parquet files; its `validation` is `test`.

    `classes` are those of the column `segmentation_7` or `segmentation_19`. That the first of these and `depth` are
    MTAN's is inferred. `val` training frames, drawn with `data_seed`, are held out.

    Raises BenchError for another number of classes.
    """

    copy: ClassVar[str] = "cityscapes_parquet"
    name: str = "cityscapes_parquet"
    classes: Literal[7, 19] = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def fields(self) -> Mapping[str, Field]:
        return CityscapesNpy().fields

    @property
    def columns(self) -> Mapping[str, str]:
        return {"image": "image", "segmentation": f"segmentation_{self.classes}", "depth": "depth"}

    def read(self, sample: Sample) -> Arrays:
        return self.arrays(sample, self.classes)


def _shapes(field: Field) -> list[tuple[int, ...]]:
    """A single channel may be left out."""
    return [field.shape] + ([field.shape[1:]] if field.shape[0] == 1 else [])
