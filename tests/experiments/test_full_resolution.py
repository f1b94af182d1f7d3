"""The papers' models, narrow ones, on images of NYUv2's size; at full width `scripts/full_runs.py` steps with them."""

from pathlib import Path

import pytest

from tests.experiments.miniature import train_two_steps
from tests.runs import PAPER_MODELS

FEW = ["dataset.train=2", "dataset.val=1", "dataset.test=1", "dataset.shift=1", "options.pictures=0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["segnet", *PAPER_MODELS])
def test_two_steps(model: str, data: Path) -> None:
    train_two_steps("rooms_nyuv2", data, f"model={model}", *FEW, *PAPER_MODELS.get(model, ["model.width=4"]))
