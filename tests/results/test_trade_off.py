"""What priorities traded: numbers by hand, which runs count, and the picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.results import leaderboards
from mtl_bench.results.trade_off import draw_trade_off, told, trade_off, trade_offs

Runs = Callable[..., list[Record]]


@pytest.fixture
def curve(runs: Runs) -> Callable[..., list[Record]]:
    def make(
        method: str, priority: float, left: Sequence[float], right: Sequence[float], task: str = "left", **more: object
    ) -> list[Record]:
        node = {"_target_": f"some.{method}", "priorities": {task: priority}, **more}
        label = f"{method} (priorities={{'{task}': {priority}}})"
        found = runs(method, left, right, identity={"method": node}, hash=f"{method}-{task}-{priority:g}")
        return [{**record, "method": {"name": method, "label": label}} for record in found]

    return make


@pytest.fixture
def records(curve: Callable[..., list[Record]], runs: Runs, single: Runs) -> list[Record]:
    return [
        *runs("ls", [80, 80, 80], [0.5, 0.5, 0.5]),
        *curve("a", 4, [84, 84, 84], [0.6, 0.6, 0.6]),
        *curve("a", 0.5, [76, 75, 77], [0.40, 0.45, 0.35]),
        *curve("b", 2, [80, 88, 72], [0.55, 0.5, 0.6], max_norm=2),
        *curve("b", 2, [90, 90, 90], [0.1, 0.1, 0.1], task="right"),
        *single(),
    ]


def test_changes_by_hand_and_in_order(records: list[Record]) -> None:
    (board,) = leaderboards(records)
    found = trade_off(board, records, "left")
    assert [(one.method, one.priority) for one in found] == [("a", 0.5), ("a", 4), ("b (max_norm=2)", 2), ("ls", None)]
    low, high, _, plain = found  # single-task: 80 and 0.5
    assert (low.favoured.mean, low.others.mean) == pytest.approx((-5, 20))
    assert (high.favoured.mean, high.others.mean) == pytest.approx((5, -20))
    assert (plain.favoured.mean, plain.others.mean) == pytest.approx((0, 0), abs=1e-9)
    for one in (low, high):
        assert one.favoured.interval is not None
        assert one.favoured.mean in one.favoured.interval


def test_told_in_lines(records: list[Record]) -> None:
    (board,) = leaderboards(records)
    *points, change = told(trade_off(board, records, "left"), "left")
    assert [line.partition(" ±")[0] for line in points] == [
        "a 0.5: left −5.00",
        "a 4: left +5.00",
        "b (max_norm=2) 2: left +0.00",
        "ls: left +0.00",
    ]
    assert change.startswith("a, 4 instead of 0.5: left +10.00 ±")
    assert ", others −40.00 ±" in change
    # left: two of the four configurations agree to the last bit, and the others stand on their own: t(0.975, 2) = 4.303
    assert change.split(" ±")[1].startswith(f"{4.303 * (1.25**2 / 3) ** 0.5:.2f}, others")


def test_other_tasks_are_weighed_as_in_delta_m(records: list[Record]) -> None:
    (board,) = leaderboards(records)
    for one, other in zip(trade_off(board, records, "left"), trade_off(board, records, "right"), strict=False):
        if one.priority is None:
            assert (one.favoured, one.others) == (other.others, other.favoured)
    assert [(one.method, one.priority) for one in trade_off(board, records, "right")] == [("b", 2), ("ls", None)]


def test_a_row_that_lost_a_seed_is_left_out(records: list[Record]) -> None:
    next(one for one in records if one["hash"].startswith("a-left-4"))["converged"] = False
    (board,) = leaderboards(records)
    assert 4 not in [one.priority for one in trade_off(board, records, "left")]


def test_without_any_row_that_kept_its_seeds_nothing_is_drawn(records: list[Record], tmp_path: Path) -> None:
    for one in records:
        one["converged"] = one["converged"] and "-left-" not in one["hash"]
    (board,) = leaderboards(records)
    left = [one for one in trade_off(board, records, "left") if one.priority is None]
    with pytest.raises(BenchError, match="has a result of every seed"):
        draw_trade_off(board, left, "left", tmp_path / "a.svg")


def test_without_priorities_or_single_task_runs(records: list[Record], runs: Runs, single: Runs) -> None:
    plain = [*runs("ls", [80, 81], [0.5, 0.5]), *single()]
    with pytest.raises(BenchError, match="No run here was given priorities for left alone; train some"):
        trade_offs(leaderboards(plain), plain, "left")
    methods = [one for one in records if one["method"]["name"] != "single"]
    with pytest.raises(BenchError, match="Δm is left out: single-task runs of left, right are missing"):
        trade_offs(leaderboards(methods), methods, "left")


def test_the_picture_has_a_panel_per_method(records: list[Record], tmp_path: Path) -> None:
    ((board, found),) = trade_offs(leaderboards(records), records, "left")
    draw_trade_off(board, found, "left", tmp_path / "new" / "a.svg")
    drawing = (tmp_path / "new" / "a.svg").read_text()
    assert 'id="axes_2"' in drawing
    assert 'id="axes_3"' not in drawing
    with pytest.raises(BenchError, match="cannot be written"):
        draw_trade_off(board, found, "left", tmp_path / "a.nonsense")
