"""Cosines to the mean gradient by hand, where they are read from, and what they are set against."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records.record import save_record
from mtl_bench.results import leaderboard
from mtl_bench.results.alignment import Aligned, alignments, find_cosines, predictions, to_mean
from mtl_bench.results.alignment_plot import plot_alignments
from tests.results.conftest import Make, Runs


def test_cosines_to_the_mean_of_known_gradients() -> None:
    gradients = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    mean = gradients.mean(axis=0)
    assert to_mean(gradients @ gradients.T) == pytest.approx(gradients @ mean / np.linalg.norm(mean))
    assert to_mean(np.eye(4)) == pytest.approx(np.full(4, 0.5))  # unrelated: 1/√K


def test_cosines_come_from_diagnostics_and_findings(record: Make, tmp_path: Path) -> None:
    def leave(seed: int, **told: Any) -> None:
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        save_record(folder / "record.json", record("ls", 80, 0.5, seed) | told)  # type: ignore[typeddict-item]

    def pair(cosine: float | None) -> list[list[float | None]]:
        return [[1.0, cosine], [cosine, 1.0]]

    findings = [{"epoch": n, "cosine": pair(c)} for n, c in enumerate([0.1, 0.3])]
    leave(0, cosines=pair(0.25), findings=findings)
    leave(1, findings=findings)
    leave(2, findings=[{"epoch": 0, "affinity": [[1, 2], [3, 4]]}])
    leave(3, cosines=pair(None))
    found = find_cosines([tmp_path])
    assert {seed: matrix[0, 1] for (_, seed), matrix in found.items()} == pytest.approx(
        {0: 0.25, 1: 0.2, 3: np.nan}, nan_ok=True
    )


def test_a_task_is_set_against_its_change(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("ls", [88, 84], [0.4, 0.5]), *runs("uw", [80], [0.5]), *single()])
    found = alignments([board], {("ls-hash", 0): np.array([[1, -0.5], [-0.5, 1]]), ("x", 0): np.eye(2)})
    assert [(point.row, point.seed, point.task) for point in found] == [("LS", 0, "left"), ("LS", 0, "right")]
    assert [point.change for point in found] == pytest.approx([10, 20])
    assert [point.cosine for point in found] == pytest.approx([0.5, 0.5])


def test_nothing_measured_is_refused(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("ls", [88, 84], [0.4, 0.5]), *single()])
    for boards, cosines in (([board], {}), ([leaderboard(runs("ls", [88], [0.4]))], {("ls-hash", 0): np.eye(2)})):
        with pytest.raises(BenchError, match=r"diagnostics.every=10 and single_task=true"):
            alignments(boards, cosines)


def points(board: str, changes: list[float]) -> list[Aligned]:
    """Tasks of rising cosine, two runs each that disagree by one."""
    return [
        Aligned(board, "ls", seed, f"t{n}", n / 10, change + seed)
        for n, change in enumerate(changes)
        for seed in (0, 1)
    ]


def test_correlations_per_board_and_within_all(tmp_path: Path) -> None:
    """Perfect within both boards, though the second is far worse at a higher cosine."""
    second = [Aligned("b", p.row, p.seed, p.task, p.cosine + 5, p.change) for p in points("b", [-90, -80, -70, -60])]
    all_points = [*points("a", [10, 20, 30, 40]), *second]
    found = predictions(all_points)
    assert [(one.name, one.tasks, one.rho) for one in found] == [
        ("a", 4, pytest.approx(1)),
        ("b", 4, pytest.approx(1)),
        ("all, ranked within boards", 8, pytest.approx(1)),
    ]
    (few,) = predictions(points("c", [1, 2, 3]))
    assert (few.tasks, few.rho, few.p) == (3, None, None)
    (against,) = predictions(points("c", [4, 3, 2, 1]))
    assert against.rho == pytest.approx(-1)
    plot_alignments(all_points, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().count("<!-- t3 -->") == 2  # named once per board
