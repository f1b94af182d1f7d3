"""Two rows of one board: paired numbers by hand, what is concluded, and what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.results import leaderboard, leaderboards
from mtl_bench.results.comparison import Comparison, compare_rows, find_pairs
from mtl_bench.results.comparison_plot import plot_comparisons
from mtl_bench.results.comparison_text import cells_of, conclusion, remarks
from tests.results.conftest import Runs

GOOD = ([84.0, 85.0, 86.1], [0.50, 0.51, 0.49])
FAIR = ([80.0, 81.1, 82.0], [0.49, 0.50, 0.51])


def compared(*records: Sequence[Record], first: str = "GOOD", second: str = "FAIR") -> Comparison:
    board = leaderboard([record for group in records for record in group])
    rows = {row.label: row for row in board.rows}
    return compare_rows(board, rows[first], rows[second])


@pytest.fixture
def found(runs: Runs, single: Runs) -> Comparison:
    return compared(runs("good", *GOOD), runs("fair", *FAIR), single())


def test_paired_by_seed_against_the_same_single_task_means(found: Comparison) -> None:
    """Accuracy over 80, error over 0.5, a mean of both."""
    left, right = found.tasks
    a, b = ([100 * value / 80 for value in values] for values in (GOOD[0], FAIR[0]))
    c, d = ([-100 * value / 0.5 for value in values] for values in (GOOD[1], FAIR[1]))
    assert (left.first, left.second) == (pytest.approx(sum(a) / 3 - 100), pytest.approx(sum(b) / 3 - 100))
    expected = stats.ttest_rel(a, b)
    assert left.interval is not None
    assert (left.interval.low, left.interval.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert left.p == pytest.approx(2 * expected.pvalue)  # Holm over two tasks: the smaller p doubles
    assert right.p == pytest.approx(stats.ttest_rel(c, d).pvalue)
    assert found.delta_m is not None
    whole = stats.ttest_rel(
        [(x + y) / 2 for x, y in zip(a, c, strict=True)], [(x + y) / 2 for x, y in zip(b, d, strict=True)]
    )
    assert found.delta_m.p == pytest.approx(whole.pvalue)
    assert len(found.delta_m.seeds) == 3


def test_chances_are_counted_over_pairs_of_seeds(found: Comparison) -> None:
    left, right = found.tasks
    assert left.better == 1
    assert right.better == 0.5  # the same three values
    assert found.better == pytest.approx((left.better + right.better) / 2)


def test_the_conclusion_is_one_sentence(found: Comparison) -> None:
    left, right = found.tasks
    assert (left.verdict, right.verdict) == ("gains", "not told apart")
    assert left.interval is not None
    text = conclusion(found)
    assert text.startswith("GOOD against FAIR on digits: ")
    assert f"gains 5.00 ±{left.interval.half:.2f} % on left; not told apart on right." in text
    mirrored = compare_rows(found.board, found.second, found.first)
    assert "loses 5.00" in conclusion(mirrored)
    assert cells_of(left)[-1] == "gains"
    assert cells_of(right)[-1] == ""


def test_the_remarks_say_what_was_compared(found: Comparison) -> None:
    text = " ".join(remarks(found))
    assert "Paired by seed over seeds 0, 1, 2" in text
    assert "Warning: fewer than 5 seeds" in text
    assert "pooled over 2 methods" in text
    assert "neither the sampling of the test set" in text


def test_a_mean_of_zero_of_the_second_row_leaves_out_its_task(runs: Runs) -> None:
    found = compared(runs("good", *GOOD), runs("fair", [0.0] * 3, FAIR[1]))
    assert [gap.name for gap in found.tasks] == ["right"]
    assert "A mean of FAIR is zero on left: left out." in remarks(found)
    with pytest.raises(BenchError, match="Every task of FAIR has a mean of zero"):
        compared(runs("good", *GOOD), runs("fair", [0.0] * 3, [0.0] * 3))


def test_seeds_without_a_partner_are_left_out(runs: Runs, single: Runs) -> None:
    more = runs("good", [*GOOD[0], 10.0], [*GOOD[1], 9.0])
    found = compared(more, runs("fair", *FAIR), single())
    assert found.shared == (0, 1, 2)
    assert found.tasks[0].mean == pytest.approx(5.0)
    assert any("left out: GOOD has 4" in line for line in remarks(found))


def test_without_shared_seeds_all_are_compared_unpaired(runs: Runs, single: Runs) -> None:
    other = [record | {"seed": record["seed"] + 10} for record in runs("fair", *FAIR)]
    found = compared(runs("good", *GOOD), other, single())
    left = found.tasks[0]
    expected = stats.ttest_ind(*([100 * v / 80 for v in values] for values in (GOOD[0], FAIR[0])), equal_var=False)
    assert left.interval is not None
    assert (left.interval.low, left.interval.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert "Unpaired" in remarks(found)[0]


def test_without_single_task_runs_tasks_are_relative_to_the_second(runs: Runs) -> None:
    found = compared(runs("good", *GOOD), runs("fair", *FAIR))
    assert found.delta_m is None
    assert found.pooled is None
    mean = sum(FAIR[0]) / 3
    assert found.tasks[0].mean == pytest.approx(100 * (sum(GOOD[0]) / 3 - mean) / mean)
    assert found.tasks[0].second == pytest.approx(0)
    assert "percent of the means of FAIR" in remarks(found)[0]
    assert any("single-task runs of left, right are missing" in line for line in remarks(found))


def test_a_diverged_seed_decides(runs: Runs, single: Runs) -> None:
    lost = runs("good", *GOOD)
    lost[1]["converged"] = False
    found = compared(lost, runs("fair", *FAIR), single())
    assert all(gap.interval is None for gap in found.tasks)
    assert conclusion(found) == (
        "GOOD against FAIR on digits: 2/3 seeds of GOOD converged, so GOOD is ranked behind whatever the others give."
    )


def test_one_seed_tells_nothing_apart(runs: Runs, single: Runs) -> None:
    found = compared(runs("good", [85], [0.4]), runs("fair", *FAIR), single())
    assert "nothing is told apart by one seed" in conclusion(found)


def test_many_tasks_are_counted_and_the_largest_changes_named(record: Any) -> None:
    tasks = [f"t{n}" for n in range(9)]

    def made(method: str, shift: float, seed: int) -> Record:
        values = {task: 80 + shift * (n - 4) * 5 + 0.1 * seed for n, task in enumerate(tasks)}
        return record(
            method,
            1.0,
            1.0,
            seed=seed,
            tasks=tasks,
            metrics={task: {"accuracy": {"higher_is_better": True, "unit": "%"}} for task in tasks},
            test={task: {"accuracy": value} for task, value in values.items()},
            delta_m={"definition": "one_per_task", "terms": {task: ["accuracy"] for task in tasks}},
            baselines={task: f"{task}-hash" for task in tasks},
        )

    found = compared([made("good", 1 + 0.01 * n, n) for n in range(3)], [made("fair", 0, n) for n in range(3)])
    text = conclusion(found)
    assert "on t8, " in text
    assert "on t0, " in text
    assert "gains less on 1 and loses less on 1 further tasks; not told apart on t4." in text


def test_rows_that_have_no_comparison_are_refused(runs: Runs, single: Runs) -> None:
    elsewhere = runs("mgda", *FAIR, experiment={"name": "other", "hash": "e2" * 32})
    boards = leaderboards([*runs("good", *GOOD), *runs("fair", *FAIR), *elsewhere, *single()])
    (found,) = find_pairs(boards, "GOOD", "FAIR")
    assert found.board.experiment == "digits"
    with pytest.raises(
        BenchError, match=r"different protocols are not compared: GOOD is on digits \(e1e1.*MGDA is on o"
    ):
        find_pairs(boards, "GOOD", "MGDA")
    with pytest.raises(BenchError, match="No row is called 'best' here; there are: GOOD, FAIR, MGDA"):
        find_pairs(boards, "best", "GOOD")
    with pytest.raises(BenchError, match="with itself"):
        find_pairs(boards, "GOOD", "GOOD")
    with pytest.raises(BenchError, match="Δm is the comparison with single-task"):
        find_pairs(boards, "GOOD", "single-task")


def test_a_name_of_several_rows_asks_for_one(runs: Runs, single: Runs) -> None:
    twice = [
        one | {"method": {"name": "m", "label": f"m (a={n})"}} for n in "12" for one in runs("m", *FAIR, hash=f"m{n}")
    ]
    boards = leaderboards([*runs("good", *GOOD), *twice, *single()])
    with pytest.raises(BenchError, match=r"m is 2 rows of digits: 'm \(a=1\)', 'm \(a=2\)'; write one of them"):
        find_pairs(boards, "GOOD", "m")


def test_the_plot_has_a_panel_per_board(found: Comparison, tmp_path: Path) -> None:
    plot_comparisons([found, found], tmp_path / "a.svg")
    drawing = (tmp_path / "a.svg").read_text()
    assert 'id="axes_2"' in drawing
    assert 'id="axes_3"' not in drawing
    with pytest.raises(BenchError, match="cannot be written"):
        plot_comparisons([found], tmp_path / "a.nonsense")
