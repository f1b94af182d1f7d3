"""A sweep ends alike under every launcher: all cells but the failing one, and at its end what became of each."""

import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from mtl_bench.cli.sweep import Listening, Sweep
from mtl_bench.errors import BenchError
from mtl_bench.records.record import find_records
from tests.cli.conftest import Type

OWN = """
from mtl_bench.methods import LinearScalarization


class Own(LinearScalarization):
    \"\"\"A class that no installed package has.\"\"\"
"""
PACKAGES = {
    "basic": "hydra-core",
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
}
OPTIONS = {"basic": [], "joblib": ["hydra.launcher.n_jobs=2"], "submitit_local": ["hydra.launcher.timeout_min=5"]}


@pytest.fixture(
    params=[
        "basic",
        pytest.param("joblib", marks=pytest.mark.slow),
        pytest.param("submitit_local", marks=pytest.mark.slow),
    ]
)
def launcher(request: pytest.FixtureRequest) -> list[str]:
    try:
        metadata.version(PACKAGES[request.param])
    except metadata.PackageNotFoundError:
        pytest.skip(f"{PACKAGES[request.param]} is not installed (pip install 'mtl-bench[launchers]')")
    return [f"hydra/launcher={request.param}", *OPTIONS[request.param]]


def test_the_rest_goes_on_and_the_end_says_what_became_of_all(launcher: list[str], train: Type, folder: Path) -> None:
    (folder / "yamls").mkdir()
    (folder / "yamls/own_parts.py").write_text(OWN)
    (folder / "yamls/method").mkdir()
    (folder / "yamls/method/own.yaml").write_text("_target_: own_parts.Own\n")
    typed = train("-m", "--config-dir", "yamls", *launcher, "method=ls,priority,own")
    assert typed.status == 1
    assert {record["method"]["name"] for record in find_records([folder / "runs"])} == {"ls", "own"}
    assert typed.out.splitlines()[-1] == "3 cells: 1 finished already, 1 failed, 1 finished"
    *_, failed, last = typed.err.splitlines()
    assert failed.startswith("failed: method=priority: method.priorities has no value yet (???)")
    assert last.startswith("mtl-bench: Not every cell of this sweep finished, see above")
    assert "Traceback" not in typed.err


def test_a_sweep_without_a_failure_ends_well(launcher: list[str], train: Type) -> None:
    typed = train("-m", *launcher, "seed=0")
    assert typed.status == 0, typed.err
    assert typed.out.splitlines()[-1] == "1 cell: 1 finished already"


def test_batches_after_a_failing_one_run_too(train: Type, folder: Path) -> None:
    typed = train("-m", "hydra.sweeper.max_batch_size=1", "method=priority,uw")
    assert typed.status == 1
    assert {record["method"]["name"] for record in find_records([folder / "runs"])} == {"ls", "uw"}
    assert "2 cells: 1 failed, 1 finished" in typed.out


class Broken(Launcher):
    """Ends in what it is given."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def setup(self, **_: Any) -> None: ...

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        raise self.error


def test_a_launcher_that_breaks_down_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    sweep, error = Sweep(), OSError("A worker was killed.\nMore about it.")
    with pytest.raises(BenchError, match=r"^The launcher broke down \(OSError: A worker was killed\); the same"):
        Listening(Broken(error), sweep, scored=False).launch([["seed=0"], ["seed=1"]], initial_job_idx=0)
    sweep.tell()
    assert capsys.readouterr().out == "2 cells: 2 without a word\n"


def test_of_a_sweep_that_was_stopped_nothing_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep()
    with pytest.raises(SystemExit):
        Listening(Broken(SystemExit(130)), sweep, scored=False).launch([["seed=0"], ["seed=1"]], initial_job_idx=0)
    sweep.tell()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verb", ["train", "group", "recon", "tune"])
def test_a_suite_is_a_sweep(verb: str, mtl_bench: Type) -> None:
    typed = mtl_bench(verb, "suite=rooms")
    assert typed.status == 1
    assert typed.sentence == "mtl-bench: suite=rooms is a sweep, of which one job would train a single run; add -m."


def test_a_suite_needs_no_plus(mtl_bench: Type) -> None:
    for suite in ("suite=quickstart", "+suite=quickstart"):
        typed = mtl_bench("status", "-m", suite, "seed=0", "method=ls")
        assert typed.status == 0, typed.err
        assert "rooms_quick" in typed.out


def test_single_task_runs_of_all_seeds_come_before_the_first_method(train: Type, folder: Path) -> None:
    """So that every Δm that is printed is against the means that a board takes."""
    sweep = ("-m", "method=uw,dwa", "seed=0,1", "single_task=true")
    typed = train(*sweep)
    assert typed.status == 0, typed.err
    titles = re.findall(r"^multidigits · (.*) · seed (\d)", typed.out, re.MULTILINE)
    alone = [("left alone", "0"), ("right alone", "0"), ("left alone", "1"), ("right alone", "1")]
    assert titles[:4] == alone
    assert sorted(titles[4:]) == [("dwa", "0"), ("dwa", "1"), ("uw", "0"), ("uw", "1")]
    assert re.findall(r"against single-task, (.*)$", typed.out, re.MULTILINE) == ["2 seeds"] * 4
    assert typed.out.splitlines()[-1] == "4 cells: 4 finished"
    again = train(*sweep)
    assert again.out.count(": finished already") == 4
    assert again.out.splitlines()[-1] == "4 cells: 4 finished already"


def test_what_fails_alone_is_told_by_the_jobs_that_need_it(train: Type) -> None:
    typed = train("-m", "method=ls,uw", "seed=0,1", "single_task=true", "tasks.left._target_=nowhere.Task")
    assert typed.status == 1
    assert "4 cells: 4 failed" in typed.out
    assert len(typed.err.splitlines()) == 4 + 4 + 1  # when it failed, at the end, and that not every cell finished
