"""A job from Python: no Hydra application runs, and it is the one that the command line carries out."""

import ast
import fcntl
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.job import Job, compose_job, compose_plan
from mtl_bench.job.entry_runs import records_of
from mtl_bench.pipeline import Need
from mtl_bench.records.lock import RunLocked
from mtl_bench.records.record import find_records, load_record
from mtl_bench.training.trainer import Diverged
from tests.runs import TINY

PACKAGE = Path(__file__).parents[2] / "mtl_bench"
MOMENT = [*TINY, "protocol.training.budget.amount=2", "protocol.training.budget.unit=batches", "options.progress=false"]
Compose = Callable[..., Job]


@pytest.fixture
def job(data: Path, tmp_path: Path) -> Compose:
    def composed(*overrides: str) -> Job:
        places = [
            f"paths.{name}={path}" for name, path in (("data", data), ("runs", tmp_path), ("reference", tmp_path))
        ]
        return compose_job([*MOMENT, *places, *overrides])

    return composed


def test_a_job_trains_and_returns_its_record(job: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not HydraConfig.initialized()
    record = job("method=uw", "seed=3").train()
    assert (record["method"]["name"], record["seed"], record["experiment"]["name"]) == ("uw", 3, "multidigits")
    (path,) = tmp_path.rglob("record.json")
    assert load_record(path) == record
    assert "multidigits · uw · seed 3" in capsys.readouterr().out
    assert job("method=uw", "seed=3").train() == record
    assert "finished already" in capsys.readouterr().out


def test_single_task_baselines_come_first(job: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = job("method=uw", "single_task=true")
    record = made.train()
    assert sorted(found["method"]["name"] for found in find_records([tmp_path])) == ["single", "single", "uw"]
    assert "% (one_per_task, higher is better) against single-task" in capsys.readouterr().out
    score = made.score(record)
    assert score == job("method=uw", "objective=delta_m").score(record)
    assert score != job("method=uw", "objective=mean").score(record)


def test_the_score_is_one_of_validation(job: Compose) -> None:
    record = job().train()
    found = {name: values["accuracy"] for name, values in record["val"].items()}
    assert job("objective=left.accuracy").score(record) == found["left"]
    assert job().score(record) == (found["left"] + found["right"]) / 2
    best = "protocol.reporting.selection._target_=mtl_bench.training.selection.BestVal"
    assert job("objective=selection", best).score(record) == (found["left"] + found["right"]) / 2


def test_one_task_alone(job: Compose) -> None:
    for only in ("only=left", "only=[left]"):
        assert job(only, "single_task=true").train()["method"]["name"] == "single"


def test_a_locked_cell_is_an_error(job: Compose, tmp_path: Path) -> None:
    folder = job().plan().folder(tmp_path)
    folder.create()
    with (folder.path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunLocked, match="is in use by another process"):
            job().train()


def test_a_damaged_baseline_is_raised_after_the_cell(job: Compose, tmp_path: Path) -> None:
    job("only=[left]").train()
    next(tmp_path.rglob("record.json")).write_text("{")
    with pytest.raises(Damaged, match="is damaged"):
        job("single_task=true", "method=uw").train()
    assert sorted(found["method"]["name"] for found in find_records([tmp_path], [])) == ["single", "uw"]


def test_a_baseline_that_was_given_up_does_not_stop_the_cell(
    job: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = ["options.max_nonfinite=1", "tasks.left._target_=tests.cli.parts.NaN"]
    with pytest.raises(Diverged):  # the cell's own
        job("single_task=true", *lost).train()
    assert len(find_records([tmp_path])) == 3
    assert "multidigits · single · seed 0: the last 1 steps" in capsys.readouterr().out


def test_a_run_that_was_given_up_does_not_stop_the_others_of_an_entry(
    job: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = job("options.max_nonfinite=1", "tasks.left._target_=tests.cli.parts.NaN")
    needs = [Need(("left",)), Need(("right",))]
    found = records_of(lost, needs, [0, 1])
    assert [[record["converged"] for record in found[need]] for need in needs] == [[False, False], [True, True]]
    assert capsys.readouterr().out.count("multidigits · single · seed 0: the last 1 steps") == 1
    assert records_of(lost, needs, [0, 1]) == found


@pytest.mark.parametrize(
    ("typed", "says"), [("single_task=no", "true or false"), ("objective=nothing", "one of delta_m")]
)
def test_refusals_come_before_training(typed: str, says: str, job: Compose, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=says):
        job(typed).train()
    assert not list(tmp_path.rglob("seed-*"))


@pytest.mark.parametrize(
    ("typed", "experiment", "method"),
    [
        (["method=pcgrad"], "multidigits", "pcgrad"),
        (["method=ls", "method._target_=mtl_bench.methods.mgda.MGDA"], "multidigits", "MGDA"),
        (
            ["method=ls", "method._target_=mtl_bench.methods.linear_scalarization.LinearScalarization"],
            "multidigits",
            "ls",
        ),
        (["~method", "+method._target_=mtl_bench.methods.mgda.MGDA"], "multidigits", "custom"),
        (["only=left"], "multidigits", "ls"),
    ],
)
def test_python_names_as_the_command_line_does(
    typed: Sequence[str], experiment: str, method: str, job: Compose, data: Path
) -> None:
    plan = compose_plan([*MOMENT, *typed], data)
    assert (plan.names.experiment, plan.names.method) == (experiment, method)
    assert plan.names == job(*typed).plan().names
    assert plan.hash == job(*typed).plan().hash


def test_hydra_ends_at_its_boundary() -> None:
    """Who asks for the running application cannot be called from Python."""
    asking = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and "HydraConfig" in {alias.name for alias in node.names}
    }
    assert asking == {"hydra_verbs.py"}
