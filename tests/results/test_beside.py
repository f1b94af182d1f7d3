"""Ours beside the paper's: which cells are compared, and by how many standard errors they differ."""

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from statistics import variance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_bench.cli.preset_label import preset_label
from mtl_bench.cli.reproduce_screen import show_table
from mtl_bench.records import Record
from mtl_bench.results import leaderboard
from mtl_bench.results.published import Beside, PaperTable, PrintedNames, Trained, beside, ladder
from mtl_bench.results.published.catalogue import Demand
from mtl_bench.results.published.ladder import rows_to_train
from mtl_bench.results.published.printed import Printed
from tests.results.conftest import Runs

NAMES = PrintedNames(frozenset({"STL"}), {"Even": "EVEN", "Other": "OTHER"}, {})  # as the records label them
LEFT, RIGHT, DELTA = "acc", "err", "Delta"
TABLE = PaperTable(
    name="paper",
    title="Paper, Table 1",
    dataset="Data",
    backbone="Net",
    rows={
        "Even": {LEFT: Printed("82.0", True, seeds=3), RIGHT: Printed("0.45", False), DELTA: Printed("-6.0", False)},
        "Other": {LEFT: Printed("70.0", True)},
        "Cross-Stitch": {LEFT: Printed("71.0", True)},
    },
    judged={"left": {LEFT: "accuracy"}, "right": {RIGHT: "abs_err"}},
    beside={},
    deltas={DELTA: "metric_mean"},
    rank=None,
    baseline={LEFT: Printed("80.0", True), RIGHT: Printed("0.500", False)},
    baseline_name="STL",
    experiment="digits",
    demand=Demand("digits", "docs/x.md", 12.0),
)


def label(method: str, options: Mapping[str, Any]) -> str:
    return f"{method} ({', '.join(f'{key}={value}' for key, value in options.items())})" if options else method


def trained(records: list[Record]) -> Trained:
    return Trained(leaderboard(records), records, [], label)


@pytest.fixture
def compared(runs: Runs, single: Runs) -> dict[tuple[str, str], Beside]:
    records = [*runs("even", (83, 84, 85), (0.44, 0.46, 0.48)), *single()]
    return {(one.printed_as, one.metric): one for one in beside(TABLE, trained(records), NAMES)}


def test_cells_with_records_are_compared_baseline_first(compared: dict[tuple[str, str], Beside]) -> None:
    assert list(compared) == [("STL", LEFT), ("STL", RIGHT), ("Even", LEFT), ("Even", RIGHT), ("Even", DELTA)]
    assert compared["STL", RIGHT].ours == pytest.approx(0.50)


def test_the_difference_in_standard_errors(compared: dict[tuple[str, str], Beside]) -> None:
    """Our deviation is 1 over three seeds; the paper's three seeds are taken to vary alike; a unit of print is 0.1."""
    one = compared["Even", LEFT]
    assert (one.ours, one.paper, one.seeds, one.difference) == (84, 82.0, 3, 2)
    assert one.error == pytest.approx(1 / sqrt(3))
    assert one.in_errors == pytest.approx(2 / sqrt(1 / 3 + 1 / 3 + 0.01 / 12))


def test_a_printed_standard_error_is_used_and_another_spread_is_not(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84, 85), (0.44, 0.46, 0.48)), *single()]
    cells = {LEFT: Printed("82.0", True, spread=0.5, seeds=3)}
    table = replace(TABLE, rows={"Even": cells}, spread="standard_error")
    board = trained(records)
    *_, known = beside(table, board, NAMES)
    *_, unknown = beside(replace(table, spread="unknown"), board, NAMES)
    assert known.difference_error == pytest.approx(sqrt(1 / 3 + 0.25 + 0.01 / 12))
    assert unknown.difference_error == pytest.approx(sqrt(1 / 3 + 1 / 3 + 0.01 / 12))


def test_delta_is_turned_and_carries_the_noise_of_baselines(compared: dict[tuple[str, str], Beside]) -> None:
    one = compared["Even", DELTA]
    assert one.paper == 6.0
    assert one.ours == pytest.approx(50 * (4 / 80 + 0.04 / 0.50))
    per_seed = [50 * ((a - 80) / 80 + (0.5 - e) / 0.5) for a, e in ((83, 0.44), (84, 0.46), (85, 0.48))]
    mean = sum(per_seed) / 3
    alone = sqrt(sum((x - mean) ** 2 for x in per_seed) / 2 / 3)
    assert one.error is not None
    assert one.error > alone


def test_the_papers_delta_is_taken_to_vary_as_all_of_ours(runs: Runs, single: Runs) -> None:
    """Its single-task runs too: as many seeds as ours have our error."""
    records = [*runs("even", (83, 84, 85), (0.44, 0.46, 0.48)), *single()]
    board = trained(records)
    for seeds in (1, 3, 12):
        table = replace(TABLE, rows={"Even": {DELTA: Printed("-6.0", False, seeds=seeds)}})
        *_, one = beside(table, board, NAMES)
        assert one.error is not None
        assert one.difference_error == pytest.approx(sqrt(one.error**2 * (1 + 3 / seeds) + 0.01 / 12))


def test_a_paper_has_as_many_single_task_seeds_as_of_its_method(runs: Runs, single: Runs) -> None:
    """Ours may not: each of our runs tells how much one seed of it varies."""
    left, right = (79, 80, 81, 80, 78, 82), (0.49, 0.50, 0.51)
    records = [*runs("even", (83, 84, 85), (0.44, 0.46, 0.48)), *single(left, right)]
    table = replace(TABLE, rows={"Even": {DELTA: Printed("-6.0", False, seeds=5)}})
    *_, one = beside(table, trained(records), NAMES)
    method = [50 * (a / 80 - e / 0.5) for a, e in ((83, 0.44), (84, 0.46), (85, 0.48))]
    alone = [50 * 84 / 80 * a / 80 for a in left], [50 * 0.46 / 0.5 * e / 0.5 for e in right]
    variances = [variance(part) for part in (method, *alone)]
    ours, paper = sum(v / n for v, n in zip(variances, (3, 6, 3), strict=True)), sum(variances) / 5
    assert one.error == pytest.approx(sqrt(ours))
    assert one.difference_error == pytest.approx(sqrt(ours + paper + 0.01 / 12))


def test_one_seed_has_no_standard_error(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83,), (0.44,)), *single()]
    found = [one for one in beside(TABLE, trained(records), NAMES) if one.printed_as == "Even"]
    assert [one.in_errors for one in found] == [None, None, None]


def test_another_definition_is_not_compared(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84), (0.44, 0.46)), *single()]
    for table in (replace(TABLE, deltas={DELTA: "left"}), replace(TABLE, judged={"left": {LEFT: "accuracy"}})):
        assert DELTA not in {one.metric for one in beside(table, trained(records), NAMES)}


def test_a_gain_over_another_row_is_not_compared(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84), (0.44, 0.46)), *single()]
    assert TABLE.baseline_name in NAMES.single_task
    table = replace(TABLE, baseline_name="Even weights")
    assert DELTA not in {one.metric for one in beside(table, trained(records), NAMES)}


def test_options_that_the_paper_gave_name_another_row(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84), (0.44, 0.46)), *runs("even (c=0.5)", (85, 86), (0.4, 0.4)), *single()]
    board = trained(records)
    plain, given = TABLE, replace(TABLE, options={"EVEN": {"C": 0.5}})
    found = [{one.metric: one.ours for one in beside(t, board, NAMES)} for t in (plain, given)]
    assert [values[LEFT] for values in found] == [83.5, 85.5]
    assert rows_to_train(given, board, NAMES, [0, 1]) == rows_to_train(plain, board, NAMES, [0, 1])


def test_the_row_of_a_preset_that_sets_options_is_found(runs: Runs, single: Runs) -> None:
    methods = runs("imtl", (83, 84), (0.44, 0.46))
    for record in methods:
        record["method"]["label"] = "imtl (weighting=IMTLL)"
    records = [*methods, *single()]
    board = replace(trained(records), label_of=preset_label)
    names = PrintedNames(frozenset({"STL"}), {"Even": "imtl"}, {})
    assert board.rows(TABLE, names) == ["STL", "Even"]
    assert rows_to_train(TABLE, board, names, [0, 1]) == []


def test_other_units_leave_only_delta(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84), (0.44, 0.46)), *single()]
    found = beside(replace(TABLE, other_units=True), trained(records), NAMES)
    assert [one.metric for one in found] == [DELTA]


def test_a_diverged_row_is_not_compared(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, float("nan")), (0.44, 0.46)), *single()]
    assert "Even" not in {one.printed_as for one in beside(TABLE, trained(records), NAMES)}


def test_rows_without_a_cell_of_ours_say_why(
    runs: Runs, single: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    records = [
        *runs("even", (83, 84, float("nan")), (0.44, 0.46, 0.45)),
        *runs("other", (83, 84), (0.4, 0.4)),
        *single(),
    ]
    table = replace(TABLE, rows={**TABLE.rows, "Other": {"angle": Printed("9.0", True)}})
    show_table(table, [trained(records)], NAMES)
    told = capsys.readouterr().out.splitlines()
    assert "Without records here: Cross-Stitch." in told
    assert "Not compared, for not every seed converged: Even (2 of 3 seeds)." in told
    assert "Trained, with no number that compares: Other." in told


def test_what_is_left_to_train(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84), (0.44, 0.46)), *single()]
    board = trained(records)
    assert rows_to_train(TABLE, board, NAMES, [0, 1]) == ["OTHER"]
    assert rows_to_train(TABLE, board, NAMES, [0, 1, 2]) == ["EVEN", "OTHER"]
    few = [*runs("even", (83, 84), (0.44, 0.46)), *runs("other", (83, 84), (0.44, 0.46)), *single((79,), (0.5,))]
    assert rows_to_train(TABLE, trained(few), NAMES, [0]) == []
    assert rows_to_train(TABLE, trained(few), NAMES, [0, 1]) == ["EVEN", "OTHER"]
    alone = records[:2]
    assert rows_to_train(TABLE, trained(alone), NAMES, [0]) == ["EVEN", "OTHER"]


def test_the_ladder_says_every_step(runs: Runs, single: Runs) -> None:
    records = [*runs("even", (83, 84), (0.44, 0.46)), *single()]
    board = trained(records)
    assert ladder(TABLE, [board], NAMES) == [
        "Cells audited: of 1 printed Δm and mean ranks 1 follow from them, 0 not, and 0 cannot be recomputed "
        "(`--audit` shows which).",
        "Computed exactly (selection, Δm) by `experiment=digits`.",
        "Trained at the full protocol: 2 of 4 rows.",
    ]
    told = ladder(TABLE, [replace(board, departures=["epochs is 1, not 9"])], NAMES)[2:]
    assert told == [
        "Trained, 2 of 4 rows, not at the full protocol: epochs is 1, not 9.",
        "Not run at the full protocol: needs digits (docs/x.md), about 12.0 hours of one processor a run.",
    ]
    assert ladder(replace(TABLE, experiment=None, demand=None), [], NAMES)[1:] == [
        "Not computed: no experiment here has its protocol."
    ]


@given(st.floats(-50, 50), st.integers(0, 4))
def test_rounding_never_makes_a_difference_certain(value: float, places: int) -> None:
    """A cell without a single digit too many holds every number that is printed so."""
    cell = Printed(f"{value:.{places}f}", True)
    assert cell.range[0] <= cell.value <= cell.range[1]
    assert float(cell.range[0]) - 1e-9 <= value <= float(cell.range[1]) + 1e-9
