"""The same runs under every definition of Δm."""

import pytest

from mtl_bench.records.record import locate_records
from mtl_bench.results import Board, delta_m, leaderboards
from mtl_bench.results.page import Material
from mtl_bench.results.page.behind import entries_behind, setting_of
from mtl_bench.results.page.definitions import rankings
from tests.docs.pages import ROOT
from tests.results.page.conftest import METRICS, SINGLE, TERMS


def test_each_definition_judges_the_same_means(toys: Board, material: Material) -> None:
    """Against Δm computed here from the rows' metrics."""
    found = {one.definition: one for one in rankings(toys, entries_behind(toys, material), setting_of(toys, material))}
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


def test_places_count_methods_whose_seeds_converged(toys: Board, material: Material) -> None:
    own, metric_mean, _ = rankings(toys, entries_behind(toys, material), setting_of(toys, material))
    assert sorted(own.places.values()) == [1, 2, 3, 4]
    assert "lost" not in own.places
    assert "single-task" not in own.places
    # accuracy and recall are half of metric_mean, and a third of task_mean: what gains there moves up
    assert own.places["even"] < own.places["skew (a=1)"]
    assert metric_mean.places["even"] > metric_mean.places["skew (a=1)"]
    assert metric_mean.tau == pytest.approx((5 - 1) / 6)


def test_one_metric_per_task_needs_one_definition() -> None:
    material = Material(locate_records([ROOT / "results/reference/multimnist"]))
    (board,) = leaderboards(material.records)
    found = rankings(board, entries_behind(board, material), setting_of(board, material))
    assert [one.definition for one in found] == ["one_per_task"]
