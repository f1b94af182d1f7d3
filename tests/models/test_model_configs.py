"""The YAMLs of this room build models."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.models import MultiTaskModel
from mtl_bench.training.build import build_model

MOLECULES = {"message_passing": (1, 36, 40)}  # takes no photos
NO_WIDTH = [  # model, argument and what it cannot be
    ("mlp", "hidden", [0]),
    ("lenet", "channels", [0, 20]),
    ("lenet", "embedding", 0),
    ("message_passing", "width", 0),
    ("resnet18", "embedding", 0),
    ("nine_layer_cnn", "widths", [8, 8, 8, 0]),
    ("nine_layer_cnn", "widths", [8, 8]),
    ("shallow_resnet", "width", -1),
    ("xception", "widths", [8, 8, 8, 0, 8]),
    ("xception", "features", 0),
    ("xception", "decoder", [8, 8, 8, 0]),
    ("deeplabv3plus", "low_level", 0),
]
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


@pytest.mark.parametrize(("name", "argument", "value"), NO_WIDTH)
def test_layers_without_a_channel_are_refused(name: str, argument: str, value: int | list[int]) -> None:
    node = OmegaConf.merge(OmegaConf.load(FILES[0].with_stem(name)), {argument: value})
    with pytest.raises(BenchError, match=rf"`model\.{argument}` .*, got "):
        build_model(OmegaConf.to_container(node), {"left": 10}, MOLECULES.get(name, (1, 33, 40)))  # type: ignore[arg-type]
