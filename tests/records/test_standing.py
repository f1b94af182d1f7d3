"""Where cells stand: from folders, records and the notes in lock files."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records.folder import RunFolder
from mtl_bench.records.lock import LOCK_NAME
from mtl_bench.records.presence import SILENT, note_presence, presence
from mtl_bench.records.reading import readings_of
from mtl_bench.records.standing import Standing, cells_under, seconds_left, standing


def cell(root: Path, method: str = "ls", seed: int = 0, experiment: str = "rooms") -> RunFolder:
    return RunFolder(root, experiment, method, "a" * 64, seed)


def test_a_note_is_of_a_process_that_lives(tmp_path: Path) -> None:
    lock = tmp_path / LOCK_NAME
    assert presence(lock) is None
    lock.touch()
    assert presence(lock) is None  # locked, and nothing said yet
    note_presence(lock, 0.25, 12.5)
    found = presence(lock)
    assert found is not None
    assert (found.progress, found.seconds, found.alive) == (0.25, 12.5, True)


def test_a_note_outlives_its_process(tmp_path: Path) -> None:
    lock = tmp_path / LOCK_NAME
    code = (
        f"from pathlib import Path; from mtl_bench.records.presence import *; note_presence(Path({str(lock)!r}), .5, 3)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    found = presence(lock)
    assert found is not None
    assert (found.progress, found.alive) == (0.5, False)


def test_on_another_machine_silence_counts(tmp_path: Path) -> None:
    lock = tmp_path / LOCK_NAME
    said = {"progress": 0.5, "seconds": 1, "host": f"not-{socket.gethostname()}", "pid": 1}
    lock.write_text(json.dumps(said))
    assert presence(lock).alive  # type: ignore[union-attr]
    long_ago = time.time() - SILENT - 1
    os.utime(lock, (long_ago, long_ago))
    assert not presence(lock).alive  # type: ignore[union-attr]


def test_states(tmp_path: Path) -> None:
    waiting, stopped, running, damaged = (cell(tmp_path, seed=seed) for seed in range(4))
    for folder in (stopped, running, damaged):
        folder.create()
    stopped.checkpoint.touch()
    note_presence(running.path / LOCK_NAME, 0.75, 30.0)
    damaged.record.write_text("{")
    assert [standing(one).state for one in (waiting, stopped, running, damaged)] == [
        "waiting",
        "stopped",
        "running",
        "damaged",
    ]
    assert {one.seed for one in cells_under([tmp_path])} == {1, 2, 3}
    assert cells_under([tmp_path / "rooms"]) == cells_under([tmp_path])
    damaged.path.with_name("seed-3.bak").mkdir()
    assert len(cells_under([tmp_path])) == 3
    with pytest.raises(BenchError, match="No run was begun"):
        cells_under([tmp_path / "elsewhere"])


def test_another_experiments_name_serves_single_task_runs_alone(tmp_path: Path) -> None:
    """As `train` finds them."""
    for method in ("ls", "single"):
        cell(tmp_path, method, experiment="other").create()
        cell(tmp_path, method, experiment="other").record.write_text("{")
    states = [standing(cell(tmp_path, method)).state for method in ("ls", "single")]
    assert states == ["waiting", "damaged"]


def test_a_single_task_run_that_was_read_off_otherwise_serves_no_other_experiment(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    other = cell(tmp_path, "single", experiment="other")
    other.create()
    other.record.write_text(json.dumps(record | {"method": {"name": "single", "label": "single"}, "tasks": ["left"]}))
    here = cell(tmp_path, "single")
    last, mean = (readings_of(rule, {}, ["left"]) for rule in ("last", "mean_last_2"))
    assert [standing(here, readings).state for readings in (None, last, mean)] == ["finished", "finished", "waiting"]


@pytest.mark.parametrize(
    ("others", "left"),
    [
        ([], None),
        ([("ls", "rooms", "finished", 1.0, 100.0)], 150.0),  # its own method: 100 s for the waiting, half for the other
        ([("uw", "rooms", "running", 0.5, 20.0)], 80.0),  # 20 + 40 + 20: its own rest, and its pace for the others
        ([("uw", "other", "finished", 1.0, 10.0)], 15.0),
        ([("ls", "rooms", "finished", 1.0, 100.0), ("ls", "rooms", "diverged", 1.0, 2.0)], 150.0),
        ([("ls", "rooms", "finished", 1.0, 100.0), ("uw", "rooms", "finished", 1.0, 900.0)], 150.0),
    ],
)
def test_the_time_left(others: list[tuple[Any, ...]], left: float | None, tmp_path: Path) -> None:
    cells = [
        Standing(cell(tmp_path), "waiting", 0.0, None),
        Standing(cell(tmp_path, seed=1), "stopped", 0.5, None),
        *(Standing(cell(tmp_path, m, 2, e), state, p, s) for m, e, state, p, s in others),
    ]
    assert seconds_left(cells) == left
