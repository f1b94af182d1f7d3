"""A grid that many processes work on, some killed: every cell is there once, as if nothing had happened."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from mtl_bench.records.record import Record, load_record, reproducible
from tests.resume.grid_worker import grid, work

SEEDS = 20  # times three methods: 60 cells
PATIENCE = 600.0  # seconds until the grid counts as hanging
STARTERS = 16


def finished(runs: Path) -> dict[tuple[str, int], Record]:
    """Every record that can be seen, which must be whole: a partial file is Damaged and fails the test."""
    records = [load_record(path) for path in runs.glob("*/*/*/seed-*/record.json")]
    return {(record["method"]["name"], record["seed"]): record for record in records}


def completed(runs: Path) -> Counter[str]:
    return Counter((runs / "log").read_text().splitlines())


@pytest.mark.slow
def test_workers_that_are_killed_leave_a_complete_grid(data: Path, tmp_path: Path) -> None:
    cells = [(plan.method, plan.seed) for plan in grid(data, SEEDS)]
    for name in ("killed", "undisturbed"):
        (tmp_path / name).mkdir()
    runs, draw = tmp_path / "killed", random.Random(0)
    deadline, kills, workers = time.monotonic() + PATIENCE, 0, {}
    while (done := len(finished(runs))) < len(cells):
        assert time.monotonic() < deadline, f"{done} of {len(cells)} after {kills} kills"
        for slot in range(2):
            process, until = workers.get(slot, (None, 0))
            if process is not None and process.is_alive() and done >= until:
                time.sleep(draw.uniform(0, 0.2))  # any moment of the next cell
                process.kill()
                process.join()
                kills += 1
            if process is None or not process.is_alive():
                workers[slot] = work(runs, data, SEEDS, draw.randrange(1000)), done + draw.randint(2, 8)
        time.sleep(0.01)
    for process, _ in workers.values():
        process.kill()
        process.join()
    assert kills >= 5
    assert set(completed(runs)) <= {f"{method} {seed}" for method, seed in cells}
    assert max(completed(runs).values()) == 1, "nothing is trained to its end twice"
    undisturbed = work(tmp_path / "undisturbed", data, SEEDS, 0)
    undisturbed.join(PATIENCE)
    assert undisturbed.exitcode == 0
    expected, found = finished(tmp_path / "undisturbed"), finished(runs)
    assert found.keys() == expected.keys() == set(cells)
    for cell in cells:
        assert reproducible(found[cell]) == reproducible(expected[cell])


@pytest.mark.slow
def test_sixteen_starters_train_every_cell_once(data: Path, tmp_path: Path) -> None:
    cells = {f"{plan.method} {plan.seed}" for plan in grid(data, 4)}
    workers = [work(tmp_path, data, 4, 0) for _ in range(STARTERS)]  # in one order: all want the same cell at once
    for process in workers:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert completed(tmp_path) == dict.fromkeys(cells, 1)
    assert len(finished(tmp_path)) == len(cells)
