"""The YAMLs of this room build models."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from mtl_bench.models import MultiTaskModel

MOLECULES = {"message_passing": (1, 36, 40)}  # takes no photos
FILES = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_config_builds_a_model(path: Path) -> None:
    shape = MOLECULES.get(path.stem, (1, 33, 40))
    model = instantiate(OmegaConf.load(path), outputs={"left": 10, "right": 4}, input_shape=shape)
    assert isinstance(model, MultiTaskModel)
    found = model.decode(model.eval().encode(torch.zeros(2, *shape), 1), 1)
    output = found if isinstance(found, Tensor) else found[0]
    assert output.shape[:2] == (2, 4)
    assert output.shape[2:] in ((), shape[1:])
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert f"model={path.stem}" in first
