"""What pictures are drawn from: axes, curves, gradients."""

import json
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest

from mtl_bench.errors import Damaged
from mtl_bench.results import Board, Row
from mtl_bench.results.axis_scale import delta_scale, tone
from mtl_bench.results.entries import Cost
from mtl_bench.results.intervals import Interval
from mtl_bench.results.page import Material
from mtl_bench.results.page.curve_data import POINTS, curves
from mtl_bench.results.page.gradient_data import gradients_of
from mtl_bench.results.row import Estimate
from tests.results.page.conftest import Located


def row(mean: float, half: float = 1.0) -> Row:
    cost = Cost(1, 1, 2, 1, 0.1)
    span = Estimate(mean, Interval(mean - half, mean + half, 4))
    return Row("a", (0, 1), (0, 1), {}, span, changes={}, per_seed={}, values={}, cost=cost, shares={}, hashes=("h",))


def test_an_axis_holds_zero_and_every_interval() -> None:
    scale = delta_scale([row(-4), row(-3), row(-2), row(-1.5)])
    assert scale.low < -5
    assert 0 < scale.high < 1
    assert scale.at(scale.low) == 0
    assert scale.at(0) == pytest.approx(100 * -scale.low / (scale.high - scale.low), abs=0.01)


def test_one_row_far_away_is_cut_off_so_that_the_others_are_seen() -> None:
    far = row(-90)
    scale = delta_scale([row(-4), row(-3), row(-2), row(-1.5), far])
    assert -20 < scale.low < -5
    assert scale.at(-90) == 0
    assert far.delta_m is not None
    assert not scale.holds(far.delta_m)


def test_a_tone_follows_the_verdict_and_not_the_interval_that_is_drawn() -> None:
    """Six methods or more lend each other their spread: what its own few seeds leave open may be told, and back."""
    assert [tone(row(mean)) for mean in (-3, 0.5, 3)] == ["worse", "open", "better"]
    assert tone(replace(row(0.5), from_single=Interval(0.1, 0.9, 40))) == "better"
    assert tone(replace(row(3), from_single=Interval(-1, 7, 40))) == "open"
    assert tone(replace(row(3), delta_m=Estimate(3, None))) == "open"


def test_curves_are_thinned_and_span_the_seeds(toys: Board, located: Located) -> None:
    for _, record in located:
        one = record["evaluations"][0]
        record["evaluations"] = [
            {**one, "batch": n, "epoch": n / 4, "train": {"left": 1 / n + record["seed"]}} for n in range(1, 101)
        ]
    curve = curves(toys.entries["even"], toys)["left"]
    assert len(curve["x"]) == POINTS
    assert (curve["x"][0], curve["x"][-1]) == (0.25, 25)
    mean, low, high = (line[-1] for line in curve["train"])
    assert (mean, low, high) == (1.01, 0.01, 2.01)
    assert curve["val"][0][0] == pytest.approx(84, rel=0.01)


def test_a_seed_that_was_given_up_cuts_no_curve_off(toys: Board) -> None:
    lost = next(record for record in toys.entries["lost"].runs["left"].values() if not record["converged"])
    lost["evaluations"] = lost["evaluations"][:1]
    assert curves(toys.entries["lost"], toys)["left"]["x"] == [1, 2, 3]
    for record in toys.entries["lost"].runs["left"].values():
        record["converged"] = False
    assert curves(toys.entries["lost"], toys)["left"]["x"] == [1]


def test_what_was_not_measured_has_no_curve(toys: Board, located: Located) -> None:
    for _, record in located:
        for one in record["evaluations"]:
            one |= {"train": {"left": nan}, "val": {}}
    found = curves(toys.entries["even"], toys)
    assert found["left"]["train"] is None
    assert found["left"]["val"] is None


def test_conflicts_come_from_the_history_and_findings_from_the_record(toys: Board, located: Located) -> None:
    path, record = next((path, record) for path, record in located if record["hash"] == "even-hash")
    pairs = {"left-right": -0.5, "left-up": 0.25, "right-up": 0.75}
    told = {f"diagnostics/cosine/{pair}": value for pair, value in pairs.items()}
    path.with_name("history.jsonl").write_text(json.dumps({"diagnostics": told}) + "\n")
    record["findings"] = [
        {"epoch": n, "groups": [["left"], ["right", "up"]], "priority": {"a": [0.2, 0.3, 0.5], "b": [0.4, 0.3, 0.3]}}
        for n in range(1, 4)
    ]
    material = Material(located)
    found = gradients_of(toys.entries["even"].runs["left"], material, None)
    assert found is not None
    cosines, conflicts = found["matrices"]
    assert cosines["values"] == [[None, -0.5, 0.25], [-0.5, None, 0.75], [0.25, 0.75, None]]
    assert conflicts["values"][0] == [None, 100, 0]
    assert found["groups"][-1] == [3, [["left"], ["right", "up"]]]
    assert found["shares"][0]["series"] == [[0.3] * 3, [0.3] * 3, [0.4] * 3]
    assert gradients_of(toys.entries["ls"].runs["left"], material, None) is None


def test_without_a_history_the_cosines_are_those_of_the_record(toys: Board, located: Located) -> None:
    """Committed records have none beside them."""
    record = next(record for _, record in located if record["hash"] == "even-hash")
    record["cosines"] = [[1.0, -0.5, 0.25], [-0.5, 1.0, 0.75], [0.25, 0.75, 1.0]]
    found = gradients_of(toys.entries["even"].runs["left"], Material(located), None)
    assert found is not None
    (cosines,) = found["matrices"]
    assert cosines["values"] == [[None, -0.5, 0.25], [-0.5, None, 0.75], [0.25, 0.75, None]]
    assert cosines["to_mean"] == pytest.approx([0.75 / 2, 1.25 / 2, 1.0], abs=1e-3)  # sums of rows over √(3 + 2·0.5)


def test_a_damaged_history_is_told_and_the_page_goes_on(toys: Board, located: Located) -> None:
    path = next(path for path, record in located if record["hash"] == "even-hash")
    Path(path.with_name("history.jsonl")).write_text('{"diagnostics": \n')
    material, damaged = Material(located), list[Damaged]()
    assert gradients_of(toys.entries["even"].runs["left"], material, damaged) is None
    assert "is damaged" in str(damaged[0])
