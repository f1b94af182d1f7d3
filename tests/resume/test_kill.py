"""Processes that are killed at any moment, and what the last one finds."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from mtl_bench.job import compose_plan
from mtl_bench.records.record import load_record
from mtl_bench.training.plan import Plan
from tests.resume.children import Place, start
from tests.runs import Left, assert_same, read, read_checkpoint

RUN = [
    "experiment=multidigits",
    "method=pcgrad",
    "+method@method.weighting=uw",
    "model=mlp",
    "model._target_=tests.resume.models.NormDropout",
    "model.hidden=[12]",
    "dataset.labels=partial",
    "protocol.training.batch_size=600",  # 7 batches per epoch, then an evaluation
    "protocol.training.budget.amount=40",
    "++protocol.reporting.selection._target_=mtl_bench.training.selection.BestVal",
]
BATCHES = 280
PATIENCE = 300.0  # seconds until a child counts as hanging
RANDOM_KILLS = 50
PLACED_KILLS = [
    Place("open", "config.yaml"),
    Place("os.rename", "config.yaml"),
    Place("os.truncate", "history.jsonl"),
    Place("open", "history.jsonl"),
    Place("os.rename", "checkpoint.pt"),
    Place("os.remove", "checkpoint.pt", 3),  # renamed; its temporary name is about to be removed
    *(Place("open", "checkpoint.pt.", n) for n in range(2, 9)),  # one of them follows the row of an epoch
    Place("open", "record.json."),
    Place("os.rename", "record.json"),
    Place("os.remove", "record.json"),
]


@dataclass
class Cell:
    """One cell on disk and the processes that work on it."""

    plan: Plan
    runs: Path
    data: Path

    def start(self, kill: Place | None = None, checkpoint_seconds: float = 0) -> BaseProcess:
        paths = [f"paths.runs={self.runs}", f"paths.data={self.data}", f"paths.reference={self.runs}"]
        self.runs.mkdir(exist_ok=True)
        return start([*RUN, *paths, f"options.checkpoint_seconds={checkpoint_seconds}"], self.log, kill)

    @property
    def log(self) -> Path:
        return self.runs / "log"

    @property
    def checkpoint(self) -> Path:
        return self.plan.folder(self.runs).checkpoint

    def batches(self) -> int:
        """Done, as the checkpoint says."""
        if not self.checkpoint.exists():
            return 0
        return int(read_checkpoint(self.plan, self.runs)["state"]["counts"]["batches"])

    def finish(self) -> Left:
        end(self.start())
        record = self.plan.folder(self.runs).record
        assert record.exists(), self.log.read_text()
        return read(self.plan, self.runs, load_record(record))


def end(process: BaseProcess) -> int | None:
    process.join(PATIENCE)
    assert process.exitcode is not None, "hangs"
    return process.exitcode


def await_change(process: BaseProcess, observe: Callable[[], object], times: int = 1) -> None:
    """Until what is observed has changed so often, or the process has ended."""
    deadline = time.monotonic() + PATIENCE
    seen = observe()
    while times and process.is_alive():
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.0005)
        now = observe()
        times -= now != seen
        seen = now


def stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, Left]:
    cell = Cell(compose_plan(RUN, data), tmp_path_factory.mktemp("undisturbed"), data)
    return cell, cell.finish()


@pytest.fixture
def cell(undisturbed: tuple[Cell, Left], tmp_path: Path) -> Cell:
    return Cell(undisturbed[0].plan, tmp_path / "runs", undisturbed[0].data)


@pytest.mark.slow
def test_killed_at_random_moments(cell: Cell, undisturbed: tuple[Cell, Left]) -> None:
    """SIGKILL during start, batches, evaluations and writing never costs more than what no checkpoint held."""
    draw = random.Random(0)
    begun = time.monotonic()
    process = cell.start()
    await_change(process, lambda: stamp(cell.checkpoint))
    until_first = time.monotonic() - begun
    reached = [_kill(process, cell)]
    while len(reached) < RANDOM_KILLS:
        checkpoints = draw.randint(0, 3)
        # Where this process gets too little of the machine to act in time, the child does it a few batches later.
        process = cell.start(kill=Place("os.rename", "checkpoint.pt", checkpoints + 4))
        if checkpoints == 0:  # mostly before its first batch
            time.sleep(draw.uniform(0, 1.2 * until_first))
        else:
            await_change(process, lambda: stamp(cell.checkpoint), checkpoints)
            time.sleep(draw.uniform(0, 0.02))
        reached.append(_kill(process, cell))
    assert sorted(reached) == reached
    assert 0 < reached[0] < reached[-1] < BATCHES  # each of them hit a run under way
    assert len(set(reached)) > 20  # and most of them had brought it further
    leftovers = 0
    for place in PLACED_KILLS:
        assert end(cell.start(kill=place)) == -signal.SIGKILL, place
        leftovers += len(_leftovers(cell))
        reached.append(cell.batches())
    assert sorted(reached) == reached
    assert reached[-1] == BATCHES
    assert leftovers > 0
    assert_same(cell.finish(), undisturbed[1])
    assert _leftovers(cell) == []
    assert "Traceback" not in cell.log.read_text()


def _kill(process: BaseProcess, cell: Cell) -> int:
    process.kill()
    assert end(process) == -signal.SIGKILL
    return cell.batches()


def _leftovers(cell: Cell) -> list[Path]:
    return list(cell.checkpoint.parent.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop(number: signal.Signals, status: int, cell: Cell, undisturbed: tuple[Cell, Left]) -> None:
    process = cell.start(checkpoint_seconds=3600)
    await_change(process, lambda: stamp(cell.plan.folder(cell.runs).history), times=2)
    assert not cell.checkpoint.exists()
    assert process.pid is not None
    os.kill(process.pid, number)
    assert end(process) == status
    reached = cell.batches()
    assert 7 <= reached < BATCHES
    said = cell.log.read_text()
    assert f"Stopped by {number.name} after batch {reached}; the same command goes on from there." in said
    assert "Traceback" not in said
    assert not cell.plan.folder(cell.runs).record.exists()
    assert_same(cell.finish(), undisturbed[1])
