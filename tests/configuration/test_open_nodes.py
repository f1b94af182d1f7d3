"""Every option of a class can be overridden without a `+`; everything else stays closed."""

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

import mtl_bench.configuration.open_nodes  # noqa: F401  # what is tested
from mtl_bench.training.arguments import check_node

CONFIGS = Path(__file__).parents[2] / "configs"
CHOICES = [
    (group, path.stem)
    for group in ("method", "model", "dataset", "logger", "grouping", "experiment")
    for path in sorted((CONFIGS / group).glob("*.yaml"))
]


TYPEABLE = re.compile(r"[a-zA-Z_]\w*(\.([a-zA-Z_]\w*|\d+))*")  # Hydra types no key that begins with a digit, 5_o_Clock


def composed(*overrides: str, config: str = "train") -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(config, overrides=list(overrides))


def nodes(config: Any, place: str = "") -> list[str]:
    """The places of everything with a `_target_`; what is a copy of another node (`${…}`) has none of its own."""
    if not isinstance(config, dict):
        return []
    below = [found for key, part in config.items() for found in nodes(part, f"{place}.{key}".lstrip("."))]
    return [place, *below] if "_target_" in config else below


def options(target: str) -> list[str]:
    parameters = inspect.signature(resolve_name(target)).parameters.values()
    return [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_option_of_every_class_is_open(group: str, name: str) -> None:
    choice, root = [f"{group}={name}"], "group" if group == "grouping" else "train"
    found = composed(*choice, config=root)
    named = [place for place in nodes(OmegaConf.to_container(found)) if TYPEABLE.fullmatch(place)]
    targets = {place: OmegaConf.select(found, f"{place}._target_") for place in named}
    assert targets
    typed = {f"{place}.{option}": "null" for place, target in targets.items() for option in options(target)}
    leaves = {key: value for key, value in typed.items() if not any(other.startswith(f"{key}.") for other in typed)}
    config = composed(*choice, *(f"{key}={value}" for key, value in leaves.items()), config=root)
    assert all(OmegaConf.select(config, key) is None for key in leaves)


@pytest.mark.parametrize(
    "typed",
    [
        ["modle.hidden=[8]"],
        ["new=1"],
        ["paths.new=1"],
        ["diagnostics.new=1"],
        ["protocol.new=1"],
        ["protocol.trainin.batch_size=1"],
        ["tasks.new.classes=1"],
        ["hydra.new=1"],
        ["hydra.launcher.new=1"],
    ],
)
def test_everything_else_stays_closed(typed: Sequence[str]) -> None:
    with pytest.raises(ConfigCompositionException, match="Could not override"):
        composed(*typed)


def test_a_plus_is_allowed_still() -> None:
    plain, plus, two = (composed("method=mgda", f"{sign}method.at=feature") for sign in ("", "+", "++"))
    assert plain == plus == two
    check_node(OmegaConf.to_container(plain.method), "method")


def test_a_node_inside_an_option_is_open() -> None:
    config = composed("method=pcgrad", "+method@method.weighting=uw", "method.weighting.initial=0.5")
    assert config.method.weighting.initial == 0.5
    assert composed("protocol.training.optimizer.betas=[0.8,0.9]").protocol.training.optimizer.betas == [0.8, 0.9]
