"""Which dataset the files in a folder are: what readers say of a folder that is another one's."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mtl_bench.data.formats.cityscapes_files import ARCHIVES, official_folders
from mtl_bench.data.formats.hub_copy import COPIES, columns_in
from mtl_bench.data.formats.mtan_npy import is_mtan_folder
from mtl_bench.data.formats.nyuv2_mat import FRAMES
from mtl_bench.errors import BenchError


def check_place(folder: Path, mine: str) -> None:
    """Raises BenchError with the name of the dataset whose files lie there, unless that is `mine` or none that is
    known, and for a parquet file that cannot be looked into.
    """
    if HOLDS[mine](folder):
        return
    for name, holds in HOLDS.items():
        if holds(folder):
            what = TOLD.get(name) or COPIES[name].variant
            raise BenchError(f"{folder} holds {what}; `mtl-bench prepare dataset={name}` packs that.")


def _has_nyuv2(folder: Path) -> bool:
    return any(folder.glob(FRAMES)) or any(folder.glob(f"*/{FRAMES}"))


def _has_cityscapes(folder: Path) -> bool:
    return any(path.is_dir() for path in official_folders(folder, ARCHIVES).values())


def _has_columns(name: str, folder: Path) -> bool:
    return set(COPIES[name].columns) <= columns_in(folder)


HOLDS: Mapping[str, Callable[[Path], bool]] = {  # in the order in which they are asked
    "nyuv2": _has_nyuv2,
    "cityscapes": _has_cityscapes,
    "nyuv2_npy": partial(is_mtan_folder, size=(288, 384)),
    "cityscapes_npy": partial(is_mtan_folder, size=(128, 256)),
    **{name: partial(_has_columns, name) for name in COPIES},
}
TOLD = {
    "nyuv2": "the official files of NYUv2",
    "cityscapes": "the official files of Cityscapes",
    "nyuv2_npy": "MTAN's preprocessed copy of NYUv2",
    "cityscapes_npy": "MTAN's preprocessed copy of Cityscapes",
}
