"""Cosines to the mean gradient by hand, where they are read from, and what they are set against."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.records.record import find_records, save_record
from mtl_bench.results import leaderboard
from mtl_bench.results.alignment import EXACT, Aligned, alignments, board_name, find_cosines, predictions, to_mean
from mtl_bench.results.alignment_plot import plot_alignments
from mtl_bench.results.conflict_gains import FEW, GainsOverSum, gains_over_sum, order_of_boards
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
    found = find_cosines(find_records([tmp_path]))
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
    assert [one.p for one in found[:2]] == pytest.approx([2 / 24, 2 / 24])  # this order and its reverse
    assert found[2].p == pytest.approx(2 / 24**2, abs=1e-3)  # both boards in it, or both reversed
    (few,) = predictions(points("c", [1, 2, 3]))
    assert (few.tasks, few.rho, few.p) == (3, None, None)
    (against,) = predictions(points("c", [4, 3, 2, 1]))
    assert against.rho == pytest.approx(-1)
    plot_alignments(all_points, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().count("<!-- t3 -->") == 2  # named once per board


@pytest.mark.parametrize("changes", [[1, 3, 2, 5, 4], [4, 1, 3, 3, 2, 5, 7], [5, 1, 4, 2, 6, 9, 3, 7, 10, 8]])
def test_p_is_that_of_permutations(changes: list[float]) -> None:
    """Every order of a few tasks, as scipy takes them; of ten many, near t, which is far off for five."""
    (found,) = predictions(points("a", changes))
    cosines = list(range(len(changes)))
    expected = stats.spearmanr(cosines, changes)
    assert found.rho == pytest.approx(expected.statistic)
    if len(changes) > EXACT:
        assert found.p == pytest.approx(expected.pvalue, rel=0.2)
        return
    orders = stats.permutation_test(
        (changes,),
        lambda y: abs(stats.spearmanr(cosines, y).statistic),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
        vectorized=False,
    )
    assert found.p == pytest.approx(orders.pvalue)


def test_a_board_of_two_tasks_says_nothing() -> None:
    """Both have one cosine, a tie whatever they do: among all they would only add to their number."""
    apart = [*points("a", [10, 20, 30, 40]), *points("b", [30, 20, 10, 0])]
    pair = [Aligned("two", "ls", 0, task, 0.5, change) for task, change in (("t0", 3.0), ("t1", 90.0))]
    *_, told = predictions(apart)
    *each, whole = predictions([*apart, *pair])
    assert whole == told
    assert whole.boards == ("a", "b")
    assert [one.name for one in each] == ["a", "b", "two"]
    assert [one.name for one in predictions([*points("a", [10, 20, 30, 40]), *pair])] == ["a", "two"]


def test_gains_over_the_plain_sum_are_told_per_board(runs: Runs, single: Runs) -> None:
    """Stepped several times it is no other method, and a row that lost a seed has no gain."""
    sums = "mtl_bench.methods.linear_scalarization.LinearScalarization", "mtl_bench.methods.repeated.Repeated"
    plain, again = ({"identity": {"method": {"_target_": target}}} for target in sums)
    lost = runs("lost", [99, 99], [0.5, 0.5])
    lost[0]["converged"] = False
    trained = [*runs("plain", [80, 80], [0.5, 0.5], **plain), *runs("again", [95, 95], [0.5, 0.5], **again)]
    board = leaderboard(
        [*trained, *lost, *runs("a", [84, 84], [0.5, 0.5]), *runs("b", [80, 80], [0.6, 0.6]), *single()]
    )
    told = [
        Aligned(board_name(board), "PLAIN", 0, task, cosine, 0.0) for task, cosine in (("left", 0.2), ("right", 0.4))
    ]
    (found,) = gains_over_sum([board], told)
    assert (found.board, found.cosine) == (board_name(board), pytest.approx(0.3))
    assert sorted(found.gains) == pytest.approx([-10, 2.5])
    assert gains_over_sum([board], []) == []


def test_boards_are_ordered_where_there_are_enough() -> None:
    boards = [GainsOverSum(str(n), n / 10, (-n, 2.0)) for n in range(FEW)]
    found = order_of_boards(boards, min)
    assert found is not None
    assert (found.rho, found.p) == (pytest.approx(-1), pytest.approx(2 / 120))
    assert order_of_boards(boards[1:], min) is None
    even = order_of_boards(boards, max)
    assert even is not None
    assert even.rho is None
