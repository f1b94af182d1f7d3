"""The same runs under every definition of Δm."""

from typing import cast

import pytest
from scipy.stats import kendalltau

from mtl_bench.records import Record
from mtl_bench.records.record import find_records
from mtl_bench.results import Board, delta_m, leaderboards
from mtl_bench.results.board_csv import delta_m_places
from mtl_bench.results.page import Material
from mtl_bench.results.page.board_page import BoardPage
from mtl_bench.results.page.definitions import rankings
from tests.docs.pages import ROOT
from tests.results.page.conftest import METRICS, SINGLE, TERMS, Located


def test_each_definition_judges_the_same_means(toys: Board) -> None:
    """Against Δm computed here from the rows' metrics."""
    found = {one.definition: one for one in rankings(toys)}
    assert list(found) == ["task_mean", "metric_mean", "one_per_task"]
    assert found["one_per_task"].judged == "of accuracy, abs_err, mae"
    up = {task: {name: info["higher_is_better"] for name, info in of.items()} for task, of in METRICS.items()}
    single = next(row for row in toys.rows if row.is_single_task)
    for row in toys.rows:
        for name, ranking in found.items():
            terms = {task: metrics[:1] if name == "one_per_task" else metrics for task, metrics in TERMS.items()}
            tables = [
                {task: {metric: one.metrics[task, metric].mean for metric in terms[task]} for task in terms}
                for one in (row, single)
            ]
            estimate = ranking.delta_m[row.label]
            assert estimate is not None
            assert estimate.mean == pytest.approx(delta_m(*tables, up, name, terms), abs=1e-9)
    assert SINGLE.keys() == TERMS.keys()


def test_places_count_methods_whose_seeds_converged(toys: Board) -> None:
    own, metric_mean, _ = rankings(toys)
    assert sorted(own.places.values()) == [1, 2, 3, 4]
    assert "lost" not in own.places
    assert "single-task" not in own.places
    # accuracy and recall are half of metric_mean, and a third of task_mean: what gains there moves up
    assert own.places["even"] < own.places["skew (a=1)"]
    assert metric_mean.places["even"] > metric_mean.places["skew (a=1)"]
    assert metric_mean.tau == pytest.approx((5 - 1) / 6)


def with_twin(located: Located) -> Material:
    """Another method whose runs end with the very values of `even`."""
    change = {"hash": "twin", "method": {"name": "twin", "label": "twin"}}
    twin = [(path, cast(Record, {**record, **change})) for path, record in located if record["hash"] == "even-hash"]
    return Material([*located, *twin])


def test_equal_rows_share_their_mean_place_as_in_the_csv(located: Located) -> None:
    material = with_twin(located)
    (board,) = leaderboards(material.records)
    own, *others = rankings(board)
    written = {label: rank.place for label, rank in delta_m_places(board).items() if label != "lost"}
    assert own.places == written
    assert (own.places["even"], own.places["twin"]) == (1.5, 1.5)
    for other in others:
        assert other.places["even"] == other.places["twin"]
        both = [[one.places[label] for label in written] for one in (own, other)]
        assert other.tau == pytest.approx(kendalltau(*both).statistic)
    best = BoardPage("toys", board, material).best
    assert best is not None
    assert best.row.label == "even"


def test_there_is_no_correlation_where_all_are_equal(located: Located) -> None:
    few = [(path, record) for path, record in located if record["method"]["name"] in ("single", "even")]
    (board,) = leaderboards(with_twin(few).records)
    assert [one.tau for one in rankings(board)] == [None, None, None]


def test_one_metric_per_task_needs_one_definition() -> None:
    (board,) = leaderboards(find_records([ROOT / "results/reference/multimnist"]))
    found = rankings(board)
    assert [one.definition for one in found] == ["one_per_task"]


def test_a_tuned_board_ranks_what_was_not_tuned_beside_it(searched: Material) -> None:
    """Also where two searches of one label, from other draws, make a board each."""
    first, second = (board for board in leaderboards(searched.records, searched.files) if board.tuned_from)
    assert {row.label for row in first.rows} == {row.label for row in second.rows}
    _, metric_mean, _ = rankings(first)
    assert metric_mean.delta_m.keys() == first.entries.keys() == {row.label for row in first.rows}
    untuned = metric_mean.delta_m["single-task, as configured"]
    assert untuned is not None
    assert untuned.interval is not None
