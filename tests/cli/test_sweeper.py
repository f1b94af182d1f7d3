"""Sweepers that want an objective (Optuna, Ax, Nevergrad, …) get the validation score of every cell."""

import json
import re
from pathlib import Path

import pytest

from mtl_bench.records.record import find_records
from tests.cli.conftest import Type
from tests.cli.console import Typed

ASKING = '''
import json
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


class Asking(Sweeper):
    """As sweepers of this kind do: launch, read the score, launch what it suggests."""

    def __init__(self, key, values, **_):
        self.key, self.values = key, list(values)

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments):
        told = []
        for number, value in enumerate(self.values):
            (done,) = self.launcher.launch([[*arguments, f"{self.key}={value}"]], initial_job_idx=number)
            told.append(None if done.return_value is None else float(done.return_value))
        Path("told.json").write_text(json.dumps(told))
'''
INSTALLED = """
import sys

sys.path.insert(0, ".")
from hydra.core.plugins import Plugins
from hydra_plugins.asking import Asking

Plugins.instance().register(Asking)
"""
YAML = """
_target_: hydra_plugins.asking.Asking
key: protocol.training.optimizer.lr
values: [0.01, 0.001]
direction: maximize
"""


@pytest.fixture
def sweep(train: Type, folder: Path) -> Type:
    (folder / "hydra_plugins").mkdir()
    (folder / "hydra_plugins" / "asking.py").write_text(ASKING)
    (folder / "yamls/hydra/sweeper").mkdir(parents=True)
    (folder / "yamls/hydra/sweeper/asking.yaml").write_text(YAML)

    def typed(*arguments: str, before: str = "") -> Typed:
        return train("-m", "--config-dir", "yamls", "hydra/sweeper=asking", *arguments, before=INSTALLED + before)

    return typed


def told(folder: Path) -> list[float | None]:
    return json.loads((folder / "told.json").read_text())


def test_it_is_told_the_score_of_every_cell(sweep: Type, folder: Path) -> None:
    typed = sweep("objective=left.accuracy", "seed=1")
    assert typed.status == 0, typed.err
    records = find_records([folder / "runs"])
    by_rate = {r["config"]["protocol"]["training"]["optimizer"]["lr"]: r for r in records if r["seed"] == 1}
    assert told(folder) == [by_rate[rate]["val"]["left"]["accuracy"] for rate in (0.01, 0.001)]
    again = sweep("objective=left.accuracy", "seed=1")
    assert again.out.count(": finished already") == 2
    assert told(folder) == [by_rate[rate]["val"]["left"]["accuracy"] for rate in (0.01, 0.001)]


def test_delta_m_where_there_are_baselines(sweep: Type, folder: Path) -> None:
    typed = sweep("single_task=true", "method=uw")
    assert typed.status == 0, typed.err
    first = told(folder)
    assert sweep("objective=delta_m", "method=uw").status == 0
    assert told(folder) == first
    printed = re.findall(r"^Δm ([+-]\d+\.\d\d) %", typed.out, re.MULTILINE)
    assert len(printed) == 2  # of the test split: not what it is told
    assert [f"{value:+.2f}" for value in first if value is not None] != printed


def test_a_run_that_was_given_up_is_the_worst_and_the_search_goes_on(sweep: Type, folder: Path) -> None:
    long = ["protocol.training.budget.amount=40", "hydra.sweeper.values=[1e20,0.001]"]
    typed = sweep("method=uw", *long)
    assert typed.status == 0, typed.err
    worst, other = told(folder)
    assert worst == float("-inf")
    assert other is not None
    assert other > 0
    for line in typed.err.splitlines():  # when it was given up, and at the end
        assert "protocol.training.optimizer.lr=1e+20: multidigits · uw · seed 0: the last 25 steps" in line
    assert typed.err.splitlines()[-1].startswith("given up: protocol.training.optimizer.lr=1e+20: ")
    assert "2 cells: 1 given up, 1 finished\n" in typed.out


@pytest.mark.parametrize(
    ("minimises", "instead"),
    [
        (["hydra.sweeper.direction=minimize"], "hydra.sweeper.direction=maximize"),
        (["+hydra.sweeper.ax_config.experiment.minimize=true"], "hydra.sweeper.ax_config.experiment.minimize=false"),
        (["+hydra.sweeper.optim.maximize=false"], "hydra.sweeper.optim.maximize=true"),
    ],
)
def test_a_sweeper_that_minimises_is_refused(minimises: list[str], instead: str, sweep: Type, folder: Path) -> None:
    typed = sweep("seed=1", *minimises)
    assert typed.status == 1
    assert f"A score is better high, and this sweeper minimises; add {instead}." in typed.sentence
    assert not list(folder.glob("runs/*/*/*/seed-1"))
