"""A folder that is another dataset's: every reader names the one that packs it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from mtl_bench.data.formats.copies import HOLDS, check_place
from mtl_bench.data.formats.hub_copy import COPIES
from mtl_bench.data.formats.nyuv2_mat import FRAMES
from mtl_bench.data.official import OfficialDataset
from mtl_bench.errors import BenchError
from tests.data.hub_files import pa, write_shards

CONFIGS = Path(__file__).parents[2] / "configs" / "dataset"


def official_nyuv2(folder: Path) -> None:
    (folder / FRAMES).write_bytes(b"0")


def official_cityscapes(folder: Path) -> None:
    (folder / "gtFine" / "train").mkdir(parents=True)


def mtan(size: tuple[int, int]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for part in ("train", "val"):
            (folder / part / "image").mkdir(parents=True)
            np.save(folder / part / "image" / "0.npy", np.zeros((*size, 3), np.float32))

    return write


def parquet(name: str) -> Callable[[Path], None]:
    columns = dict.fromkeys(COPIES[name].columns, pa.array([0]))
    return lambda folder: write_shards(folder / "data", "train", columns, 1)


def picture_folders(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for column in COPIES[name].columns:
            (folder / column / "train").mkdir(parents=True)
            Image.new("L", (2, 2)).save(folder / column / "train" / "0.png")

    return write


FOLDERS = {
    "nyuv2": [official_nyuv2],
    "cityscapes": [official_cityscapes],
    "nyuv2_npy": [mtan((288, 384))],
    "cityscapes_npy": [mtan((128, 256))],
    "nyuv2_parquet": [parquet("nyuv2_parquet")],
    "cityscapes_parquet": [parquet("cityscapes_parquet")],
    "nyuv2_jagennath": [parquet("nyuv2_jagennath"), picture_folders("nyuv2_jagennath")],
    "nyuv2_wyrx": [parquet("nyuv2_wyrx"), picture_folders("nyuv2_wyrx")],
}
CASES = [(name, write) for name, writers in FOLDERS.items() for write in writers]


def test_every_copy_has_a_folder_here() -> None:
    assert set(FOLDERS) == set(HOLDS)


@pytest.mark.parametrize(("name", "write"), CASES)
def test_readers_name_the_dataset_that_packs_a_folder(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    """Before any table, which would count what nobody looked for."""
    write(tmp_path)
    check_place(tmp_path, name)
    for other in set(HOLDS) - {name}:
        dataset = instantiate(OmegaConf.load(CONFIGS / f"{other}.yaml"), _convert_="all")
        assert isinstance(dataset, OfficialDataset)
        with pytest.raises(BenchError, match=f"`mtl-bench prepare dataset={name}` packs that"):
            dataset.find(tmp_path)


@pytest.mark.parametrize("name", FOLDERS)
def test_an_empty_folder_is_nobodys(tmp_path: Path, name: str) -> None:
    check_place(tmp_path, name)
    dataset = instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml"), _convert_="all")
    with pytest.raises(BenchError, match="; download "):
        dataset.find(tmp_path).check("raise")
