"""Every configs/dataset/*.yaml builds what its name says."""

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mtl_bench.data.dataset import Dataset

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "dataset").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_opens_with_its_command_and_builds(path: Path) -> None:
    first, *_ = path.read_text().splitlines()
    assert first.startswith("# ")
    assert first.endswith(f"dataset={path.stem}")
    dataset = instantiate(OmegaConf.load(path), _convert_="all")  # as the trainer does
    assert isinstance(dataset, Dataset)
    assert dataset.name == path.stem
    assert dataset.folder_name.startswith(f"{path.stem}-")
    assert len(dataset.image_shape) == 3
    assert dataset.targets
