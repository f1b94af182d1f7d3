"""Every YAML composes, is described, and keeps the identity it had."""

import json
import tomllib
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from mtl_bench.cli.explain import EXTRAS
from mtl_bench.cli.listing import describe
from mtl_bench.job import compose_plan
from mtl_bench.records.identity import identity_hash
from mtl_bench.training.setting import Setting

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))
DIGITS = "experiment=multidigits"
PINNED = json.loads((Path(__file__).parent / "identity_hashes.json").read_text())
REQUIRED = {  # what a person must choose
    "priority": ["method.priorities={left: 0.8, right: 0.2}"],
    "fixed": ["method.fixed={left: 1, right: 0.5}"],
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_composes_and_resolves(path: Path) -> None:
    group, name = path.parent.name, path.stem
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        if path.parent == CONFIGS:
            config = compose(name)
        else:
            plus = "+" if group == "suite" else ""
            config = compose(
                {"grouping": "group", "space": "tune"}.get(group, "train"),
                overrides=[f"{plus}{group}={name}", *REQUIRED.get(name, [])],
            )
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_opens_with_what_it_is_and_how_to_use_it(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# @package")]
    assert lines[0].startswith("# ")
    assert "mtl-bench" in lines[0]
    assert len(describe(path)) > 10
    assert CONFIGS in (path.parent, path.parent.parent)


@pytest.mark.parametrize("pin", PINNED, ids=lambda pin: " ".join(pin["overrides"]))
def test_identity_is_what_it_was(pin: dict, tmp_path: Path) -> None:
    """A changed hash orphans every record made so far: raise a class's `revision` on purpose, or undo the change.

    The content digest is replaced, so that the pins need no dataset.
    """
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", overrides=pin["overrides"])
    nodes = OmegaConf.to_container(config, resolve=True)
    assert isinstance(nodes, dict)
    protocol = nodes["protocol"]
    setting = Setting(
        nodes["dataset"],
        "0" * 64,
        nodes["tasks"],
        nodes["model"],
        nodes["method"],
        protocol["training"],
        protocol["reporting"],
    )
    assert identity_hash(setting.identity(nodes["only"] or list(nodes["tasks"]))) == pin["hash"]


def test_ten_identities_are_pinned() -> None:
    assert len({pin["hash"] for pin in PINNED}) >= 10


def test_one_task_ignores_method_and_loss_weights(tmp_path: Path) -> None:
    weights = "+protocol.training.static_weights={left: 2.0, right: 1.0}"
    together = [compose_plan([DIGITS, *more], tmp_path) for more in ([], ["method=pcgrad"], [weights])]
    alone = [compose_plan([DIGITS, "only=[left]", *more], tmp_path) for more in ([], ["method=pcgrad"], [weights])]
    assert len({plan.hash for plan in together}) == 3
    assert len({plan.hash for plan in alone}) == 1
    assert together[0].setting.baselines(["left"])["left"] == alone[0].hash


def test_reporting_changes_the_table_but_not_the_run(tmp_path: Path) -> None:
    plain, other = (compose_plan([DIGITS, *more], tmp_path) for more in ([], ["+protocol.reporting.evaluate_every=2"]))
    tasks = list(plain.tasks)
    assert plain.hash == other.hash
    assert plain.setting.experiment_hash(tasks) != other.setting.experiment_hash(tasks)


BASELINES = [(path, OmegaConf.load(path)) for path in FILES if "single_training:" in path.read_text()]


@pytest.mark.parametrize(("path", "node"), BASELINES, ids=[path.stem for path, _ in BASELINES])
def test_a_budget_of_baselines_says_its_unit(path: Path, node: DictConfig) -> None:
    """Merged into the protocol's, whose unit a person may change: an amount alone would mean another length."""
    reporting = node.get("protocol", node).reporting
    budget = reporting.single_training.get("budget")
    assert budget is None or {"amount", "unit"} <= set(budget)


def test_extras_that_errors_name_exist() -> None:
    extras = tomllib.loads((CONFIGS.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for choice, extra in EXTRAS.items():
        plugin = choice.partition("=")[2].partition("_")[0]
        assert any(f"hydra-{plugin}" in package for package in extras[extra])
