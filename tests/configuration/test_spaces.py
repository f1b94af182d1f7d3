"""Search spaces fit the methods that they are named after, at both ends."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mtl_bench.methods import Method
from mtl_bench.pipeline.search_space import RATE, space_of, values_at, with_values
from mtl_bench.training.arguments import check_node
from mtl_bench.training.build import build
from tests.methods.toys import context

CONFIGS = Path(__file__).parents[2] / "configs"
SPACES = sorted(path.stem for path in (CONFIGS / "space").glob("*.yaml"))
TASKS = ["shape", "depth", "colour"]


def plain(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_container(compose("tune", overrides=list(overrides)), resolve=True)  # type: ignore[return-value]


def ends(dimension: Any) -> list[Any]:
    if isinstance(dimension, list):
        return dimension
    if "simplex" in dimension:
        return [dict(zip(TASKS, (0.98, 0.01, 0.01), strict=True))]
    return [dimension["low"], dimension["high"]]


@pytest.mark.parametrize("name", SPACES)
def test_every_end_is_a_method_that_can_start(name: str) -> None:
    config = plain(f"method={name}")
    space = space_of(config, TASKS, config["rates"])
    del space[RATE]
    assert space
    for key, dimension in space.items():
        for value in ends(dimension):
            node = with_values(config, {key: value})["method"]
            check_node(node, "method")
            build(node, "method", Method).setup(context(last_shared=torch.nn.Parameter(torch.zeros(2, 2))))


@pytest.mark.parametrize("name", SPACES)
def test_it_holds_the_values_that_are_tuned_first(name: str) -> None:
    config = plain(f"method={name}")
    space = space_of(config, TASKS, config["rates"])
    for key, value in values_at(config, list(space)).items():
        found = ends(space[key])
        assert value in ({},) or (value in found if isinstance(space[key], list) else found[0] <= value <= found[1])


def test_a_method_without_a_space_has_its_learning_rate() -> None:
    config = plain("method=ls")
    assert list(space_of(config, TASKS, config["rates"])) == [RATE]
    assert config["label"] is None


def test_it_can_be_changed_as_typed() -> None:
    config = plain("method=cagrad", "space.c.high=0.5")
    assert space_of(config, TASKS, config["rates"])["method.c"] == {"low": 0.1, "high": 0.5}
