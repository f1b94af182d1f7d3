"""The YAMLs of this room build models."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mtl_bench.models import MultiTaskModel

FOLDER = Path(__file__).parents[2] / "configs" / "model"


@pytest.mark.parametrize("name", ["lenet", "mlp", "resnet18"])
def test_config_builds_a_model(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    model = instantiate(OmegaConf.load(path), outputs={"left": 10, "right": 4}, input_shape=(1, 28, 28))
    assert isinstance(model, MultiTaskModel)
    assert model.decode(model.encode(torch.zeros(2, 1, 28, 28)), 1).shape == (2, 4)
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert f"model={name}" in path.read_text(encoding="utf-8").splitlines()[0]
