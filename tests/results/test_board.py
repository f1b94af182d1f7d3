"""Rows, ranks, ties and what keeps two records out of one table."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

import numpy as np
import pytest

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile
from mtl_bench.results import Board, delta_m, interval, leaderboard, leaderboards, markdown, mean_interval
from mtl_bench.results.board_csv import delta_m_places
from mtl_bench.results.comparison import compare_rows, find_pairs
from mtl_bench.results.comparison_text import remarks
from mtl_bench.results.entries import Cost
from mtl_bench.results.row import Estimate

Runs = Callable[..., list[Record]]
GOOD = ([83.9, 85.0, 86.1], [0.46, 0.45, 0.44])
FAIR = ([81.9, 83.0, 84.1], [0.47, 0.46, 0.45])
NEAR = ([84.9, 84.0, 86.0], [0.455, 0.447, 0.452])
POOR = ([83.9, 85.0, 86.1], [0.66, 0.65, 0.64])


def labels(board: Board) -> list[str]:
    return [row.label for row in board.rows]


def test_single_task_records_become_one_row_of_both_tasks(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("ls", *GOOD), *single()])
    row = next(row for row in board.rows if row.is_single_task)
    assert row.label == "single-task"
    assert row.seeds == row.converged == (0, 1, 2)
    assert row.metrics["left", "accuracy"].mean == pytest.approx(80)
    assert row.metrics["right", "abs_err"].interval == mean_interval([0.49, 0.50, 0.51])
    assert row.delta_m is not None
    assert (row.delta_m.mean, row.delta_m.interval) == (0, None)
    of_two_runs = Cost(forwards=2, backwards=2, passes=4, optimizer_steps=2, seconds=pytest.approx(0.02))
    assert row.cost == of_two_runs


def test_every_task_is_judged_by_all_seeds_of_its_single_task_run(runs: Runs, single: Runs) -> None:
    """Δm and the means that are printed; the row counts the seeds that all tasks have."""
    left, right = (79, 80, 81, 82, 83), (0.49, 0.50, 0.51)
    board = leaderboard([*runs("ls", *GOOD), *single(left=left)])
    rows = {row.label: row for row in board.rows}
    assert rows["single-task"].seeds == (0, 1, 2)
    assert rows["single-task"].metrics["left", "accuracy"] == Estimate(81, mean_interval(left))
    baseline = {"left": [{"accuracy": one} for one in left], "right": [{"abs_err": one} for one in right]}
    better = {"left": {"accuracy": True}, "right": {"abs_err": False}}
    terms = {"left": ["accuracy"], "right": ["abs_err"]}
    values = [{"left": {"accuracy": a}, "right": {"abs_err": b}} for a, b in zip(*GOOD, strict=True)]
    assert rows["LS"].delta_m is not None
    assert rows["LS"].delta_m.mean == pytest.approx(50 * (85 / 81 - 1) + 50 * (1 - 0.45 / 0.50))
    assert rows["LS"].delta_m.interval == interval(values, baseline, better, "metric_mean", terms)
    assert board.notes == ("Every seed of a single-task run counts, also those of some tasks alone: left (5 seeds).",)


def test_a_task_with_one_single_task_seed_leaves_the_others_their_intervals(runs: Runs, single: Runs) -> None:
    row = leaderboard([*runs("ls", *GOOD), *single(left=[80])]).rows[0]
    assert (row.changes["left"].interval, row.delta_m and row.delta_m.interval) == (None, None)
    assert row.changes["right"].interval is not None


def test_single_task_runs_without_a_shared_seed_are_not_called_missing(runs: Runs, single: Runs) -> None:
    apart = [record for record in single() if (record["seed"] == 0) == (record["tasks"] == ["left"])]
    (note,) = leaderboard([*runs("ls", *GOOD), *apart]).notes
    assert note.startswith("Δm is left out: no seed is common to the single-task runs of all tasks; train them with")
    assert "'only=[left],[right]'" in note


def test_a_seed_of_one_task_that_did_not_converge_is_not_averaged_away(runs: Runs, single: Runs) -> None:
    more = single(left=(79, 80, 81, 82))
    more[3]["converged"] = False
    assert "did not converge with seed 3" in leaderboard([*runs("ls", *GOOD), *more]).notes[0]


def test_single_task_seeds_of_two_experiments_are_those_of_one_run(runs: Runs, single: Runs) -> None:
    inside = single(left=(79, 80), right=(0.49, 0.50))
    others = [
        cast(Record, {**record, "experiment": {"name": "other", "hash": "e0" * 32}})
        for record in single(left=(79, 80, 81, 82, 83), right=(0.49, 0.50, 0.51, 0.52, 0.53))
    ]
    board = leaderboard([*runs("ls", *GOOD), *inside, *others])
    row = next(row for row in board.rows if row.is_single_task)
    assert row.seeds == (0, 1, 2, 3, 4)
    assert row.metrics["left", "accuracy"].mean == pytest.approx(81)


def test_delta_m_worst_task_and_tasks_hurt(runs: Runs, single: Runs) -> None:
    records = [*runs("poor", *POOR), *single()]
    row = next(row for row in leaderboard(records).rows if row.label == "POOR")
    means = {"left": {"accuracy": 85.0}, "right": {"abs_err": 0.65}}
    baseline = {"left": {"accuracy": 80.0}, "right": {"abs_err": 0.50}}
    better = {"left": {"accuracy": True}, "right": {"abs_err": False}}
    expected = delta_m(means, baseline, better, "metric_mean", {"left": ["accuracy"], "right": ["abs_err"]})
    assert row.delta_m is not None
    assert row.delta_m.mean == pytest.approx(expected) == pytest.approx(-11.875)
    assert row.delta_m.interval is not None
    assert row.worst_task == "right"
    assert row.tasks_hurt == ("right",)
    assert row.changes["right"].mean == pytest.approx(-30)


def test_ranked_by_delta_m_with_ties_marked(runs: Runs, single: Runs) -> None:
    rows = {"poor": POOR, "near": NEAR, "fair": FAIR, "good": GOOD}
    records = [record for method, values in rows.items() for record in runs(method, *values)]
    board = leaderboard([*records, *single()])
    assert labels(board) == ["GOOD", "NEAR", "FAIR", "single-task", "POOR"]
    standings = {row.label: row.standing for row in board.rows}
    # FAIR trails GOOD by the same amount at every seed.
    assert standings == {"GOOD": "best", "NEAR": "tied", "FAIR": "behind", "single-task": "behind", "POOR": "behind"}


def test_single_task_ties_exactly_when_the_interval_of_delta_m_contains_zero(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("even", [79, 80, 81.5], [0.51, 0.50, 0.485]), *single()])
    best, second = board.rows
    assert (best.label, second.label) == ("EVEN", "single-task")
    assert best.delta_m is not None
    assert best.delta_m.interval is not None
    assert 0 in best.delta_m.interval
    assert second.standing == "tied"


def test_what_is_told_from_single_task_training_is_behind_whichever_is_best(runs: Runs, single: Runs) -> None:
    for name, values, last in (("poor", POOR, "POOR"), ("good", GOOD, "single-task")):
        best, second = leaderboard([*runs(name, *values), *single()]).rows
        assert (best.standing, second.label, second.standing) == ("best", last, "behind")


def test_a_diverged_seed_is_not_averaged_away(runs: Runs, single: Runs) -> None:
    lost = runs("lost", [99, 99, 99], [0.1, 0.1, 0.1])
    lost[1]["converged"] = False
    lost[1]["test"] = {"left": {"accuracy": float("nan")}, "right": {"abs_err": float("nan")}}
    none = [record | {"converged": False} for record in runs("none", [1, 1, 1], [1, 1, 1])]
    row, empty = leaderboard([*lost, *none, *runs("poor", *POOR), *single()]).rows[-2:]
    assert (row.label, row.standing, row.converged, row.seeds) == ("LOST", "diverged", (0, 2), (0, 1, 2))
    assert row.metrics["left", "accuracy"].mean == 99
    assert row.metrics["left", "accuracy"].interval is None
    assert row.delta_m is not None
    assert row.delta_m.interval is None
    assert row.tasks_hurt is None
    assert (empty.label, empty.metrics, empty.delta_m) == ("NONE", {}, None)


def test_a_converged_record_with_a_nan_counts_as_diverged(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("ls", [80, float("nan"), 80], [0.5, 0.5, 0.5]), *single()])
    assert board.rows[-1].converged == (0, 2)


def test_a_run_most_of_whose_steps_were_skipped_counts_as_diverged(runs: Runs, single: Runs) -> None:
    """As older records do that call it converged, because its last steps were not."""
    lost = runs("lost", *GOOD)
    lost[1]["failures"] = {"nonfinite_steps": 51, "solver": 0}  # of 100
    board = leaderboard([*runs("ls", *GOOD), *lost, *single()])
    assert (board.rows[-1].label, board.rows[-1].standing, board.rows[-1].converged) == ("LOST", "diverged", (0, 2))
    lost[1]["failures"] = {"nonfinite_steps": 50, "solver": 0}
    assert "diverged" not in [row.standing for row in leaderboard([*runs("ls", *GOOD), *lost, *single()]).rows]


def test_missing_single_task_runs_leave_delta_m_out_and_name_the_command(runs: Runs, single: Runs) -> None:
    board = leaderboard(runs("ls", *GOOD))
    assert [row.delta_m for row in board.rows] == [None]
    assert [row.standing for row in board.rows] == [None]
    assert "`mtl-bench train -m experiment=digits 'only=[left],[right]' seed=0,1,2,3,4`" in board.notes[0]
    only_left = [record for record in single() if record["hash"] == "left-hash"]
    assert "'only=[right]'" in leaderboard([*runs("ls", *GOOD), *only_left]).notes[0]


def test_single_task_runs_that_cannot_serve_say_why(runs: Runs, single: Runs) -> None:
    methods = runs("ls", *GOOD)
    elsewhere = [record | {"selection": "best_val"} for record in single()]
    assert "another selection rule" in leaderboard([*methods, *elsewhere]).notes[0]
    rarely = {"protocol": {"reporting": {"evaluate_every": 2}}}
    means = [record | {"selection": "mean_last_10"} for record in (*methods, *single())]
    assert not leaderboard(means).notes
    others = [record | {"config": rarely} if record["hash"] == "left-hash" else record for record in means]
    assert "runs of left are recorded under another selection rule" in leaderboard(others).notes[0]
    diverged = single()
    diverged[1]["converged"] = False
    board = leaderboard([*methods, *diverged])
    assert "did not converge with seed 1" in board.notes[0]
    assert all(row.delta_m is None for row in board.rows)
    assert board.rows[-1].label == "single-task"
    zero = leaderboard([*methods, *single(left=(0, 0, 0))])
    assert "accuracy of left is zero" in zero.notes[0]


@pytest.mark.parametrize(("others", "expected"), [(4, "behind"), (5, "tied")])
def test_seeds_that_agree_by_luck_beat_nobody_where_six_methods_tell_the_spread(
    runs: Runs, single: Runs, others: int, expected: str
) -> None:
    drawn = np.random.default_rng(0).normal(72, 6, (others, 3)).tolist()
    wide = [runs(f"m{n}", values, [0.5, 0.5, 0.5]) for n, values in enumerate(drawn)]
    lucky = runs("lucky", [81.0, 81.0, 81.0], [0.495, 0.495, 0.495])
    close = single((79.9, 80, 80.1), (0.499, 0.50, 0.501))
    board = leaderboard([*lucky, *(record for found in wide for record in found), *close])
    assert [row.label for row in board.rows][:2] == ["LUCKY", "single-task"]
    assert [row.standing for row in board.rows][:2] == ["best", expected]


def test_one_seed_has_values_but_no_interval_and_no_standing(runs: Runs, single: Runs) -> None:
    one = leaderboard([*runs("ls", [85], [0.45]), *single(left=[80], right=[0.5])])
    row = one.rows[0]
    assert row.delta_m is not None
    assert row.delta_m.mean == pytest.approx(8.125)
    assert row.delta_m.interval is None
    assert row.tasks_hurt is None
    assert [row.standing for row in one.rows] == [None, None]


def test_a_lucky_single_seed_is_no_yardstick_for_ties(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("lucky", [95], [0.3]), *runs("good", *GOOD), *runs("near", *NEAR), *single()])
    standings = [(row.label, row.standing) for row in board.rows]
    assert standings[:3] == [("LUCKY", None), ("GOOD", "best"), ("NEAR", "tied")]


def test_different_protocols_never_share_a_table(runs: Runs, single: Runs) -> None:
    other = runs("mgda", *FAIR, experiment={"name": "digits", "hash": "e2" * 32})
    records = [*runs("ls", *GOOD), *other, *single()]
    with pytest.raises(BenchError, match=r"different protocols.*one table of each"):
        leaderboard(records)
    assert [labels(board) for board in leaderboards(records)] == [["LS", "single-task"], ["MGDA", "single-task"]]


def test_records_that_contradict_each_other_are_refused(runs: Runs, single: Runs) -> None:
    drifted = [record | {"selection": "best_val"} for record in runs("mgda", *FAIR)]
    with pytest.raises(BenchError, match="disagree on selection"):
        leaderboard([*runs("ls", *GOOD), *drifted])
    with pytest.raises(BenchError, match="different test values"):
        leaderboard([*runs("ls", *GOOD), *runs("ls", *FAIR)])


def test_copies_of_a_record_count_once(runs: Runs, single: Runs) -> None:
    nan = float("nan")
    board = leaderboard([*runs("ls", [nan, 85], [0.4, 0.4]), *runs("ls", [float("nan"), 85], [0.4, 0.4]), *single()])
    assert next(row for row in board.rows if row.label == "LS").seeds == (0, 1)


def test_two_configurations_of_one_method_keep_their_own_rows(runs: Runs, single: Runs) -> None:
    board = leaderboard([*runs("ls", *GOOD), *runs("ls", *FAIR, hash="feedbeef"), *single()])
    assert labels(board) == ["LS (ls-has)", "LS (feedbe)", "single-task"]


def test_no_method_at_all_is_refused(single: Runs) -> None:
    with pytest.raises(BenchError, match="No record of a multi-task method"):
        leaderboards(single())


def test_seconds_of_different_machines_are_flagged(runs: Runs, single: Runs) -> None:
    records = runs("ls", *GOOD)
    records[0]["measured"]["host"] = "b"
    assert "more than one machine" in leaderboard([*records, *single()]).notes[-1]


def test_differences_use_the_spread_of_all_methods_that_converged(runs: Runs, single: Runs) -> None:
    """A board of calm methods tells two of them apart, a board with one that is less calm does not; what is wild, or
    diverged, speaks for nobody else."""
    calm = [*runs("good", [84.9, 85.0, 85.1], [0.45] * 3), *runs("fair", [84.4, 84.3, 84.5], [0.45] * 3)]
    wild = runs("wild", [60, 75, 90], [0.45] * 3)
    less = runs("less", [84.52, 83.48, 84.0], [0.45] * 3)
    lost = [record | {"converged": record["seed"] != 1} for record in runs("lost", [60, 75, 90], [0.45] * 3)]
    for others, expected in (([], "behind"), (lost, "behind"), (wild, "behind"), (less, "tied")):
        board = leaderboard([*calm, *others, *single()])
        assert next(row.standing for row in board.rows if row.label == "FAIR") == expected
        assert board.spread is not None
        assert (board.spread.methods, board.spread.df) == ((3, 6) if others is less else (2, 4))


def test_a_row_that_mixes_data_of_two_processors_says_so(runs: Runs, single: Runs) -> None:
    mixed, plain = runs("mixed", *GOOD), runs("plain", *FAIR)
    for n, record in enumerate(mixed):
        record["environment"] = {"data": "ab"[n % 2]}
    board = leaderboard([*mixed, *plain, *single()])
    assert board.notes == ("Runs of one row read packed data of different bytes: MIXED.",)


def grouped(like: Record, label: str, left: str, right: str, **changes: Any) -> EntryFile:
    """An entry as `mtl-bench group` leaves it: the hashes of the runs that serve left and right."""
    made = {
        **{key: like[key] for key in ("experiment", "tasks", "metrics", "selection", "delta_m", "baselines")},
        **{"schema": 1, "id": "g", "label": label, "budget": 2, "grouping": {}, "seeds": [0], "value": None},
        "groups": [
            {"tasks": ["left"], "serves": ["left"], "hash": left},
            {"tasks": ["left", "right"], "serves": ["right"], "hash": right},
        ],
        "measured_by": [],
        **changes,
    }
    return cast(EntryFile, made)


def test_a_grouping_entry_reads_each_task_from_its_network_and_costs_all(runs: Runs, single: Runs) -> None:
    """Left is served by its single-task run, right by the run of the method, which also measured."""
    alone, joint = single(), runs("m", (70, 71, 72), (0.40, 0.41, 0.42))
    first = joint[0]
    alone_hash = first["baselines"]["left"]
    entry = grouped(first, "groups (b=2)", alone_hash, first["hash"], measured_by=[first["hash"]])
    (board,) = leaderboards([*alone, *joint], [entry])
    rows = {row.label: row for row in board.rows}
    row = rows["groups (b=2)"]
    assert row.changes["left"].mean == pytest.approx(0)
    assert row.changes["right"].mean == pytest.approx(rows["M"].changes["right"].mean)
    assert row.cost.forwards == pytest.approx(1 + 1)  # the measuring run serves too and is paid once
    assert any("groups (b=2): networks {left}; {left, right} serves right." in note for note in board.notes)


def test_an_entry_of_split_layers_stands_beside_the_plain_model(runs: Runs, single: Runs) -> None:
    """Of another experiment and size; what chose the layers counts for the batches that it saw."""
    plain, copied = runs("m", *GOOD, parameters=100), runs("c", *FAIR, parameters=160)
    short = runs("s", *FAIR, parameters=100)
    for record in (*short, *copied):
        record["experiment"] = {"name": "digits", "hash": record["method"]["name"] * 64}
    for record in short:
        record["counts"] = {"batches": 25, "forwards": 25, "backwards": 75, "passes": 100, "optimizer_steps": 25}
    entry = grouped(plain[0], "copies", "c-hash", "c-hash", measured_by=["s-hash"], split=["a", "b"])
    entry["groups"] = [{"tasks": ["left", "right"], "serves": ["left", "right"], "hash": "c-hash"}]
    (board,) = leaderboards([*single(), *plain, *copied, *short], [entry])
    rows = {row.label: row for row in board.rows}
    assert rows.keys() == {"copies", "M", "single-task"}
    assert (rows["copies"].parameters, rows["M"].parameters, rows["single-task"].parameters) == (160, 100, None)
    assert rows["copies"].cost.passes == pytest.approx(2 + 100 / 100)
    assert rows["copies"].cost.seconds == pytest.approx(0.01 + 0.01 * 25 / 100)
    assert rows["copies"].delta_m is not None
    (note,) = (note for note in board.notes if note.startswith("copies:"))
    assert note.startswith("copies: 2 layers have a copy per task, which makes 160 parameters of 100 and takes 2 forwa")
    table = markdown(board)
    assert table.splitlines()[2].endswith(
        "| Parameters | Forwards<br>/ batch | Backwards<br>/ batch | Steps<br>/ batch | Seconds<br>/ batch |"
    )
    assert "Parameters" not in markdown(leaderboard([*plain, *runs("n", *FAIR, parameters=100), *single()]))


def test_networks_that_were_chosen_are_no_plain_sum(runs: Runs, single: Runs) -> None:
    """Though the plain sum trained them: every other method is held against it without a choice."""
    plain = {"method": {"_target_": "mtl_bench.methods.linear_scalarization.LinearScalarization", "_revision_": 1}}
    (once, copied), others = (runs(name, *FAIR, identity=plain) for name in "mc"), runs("o", *GOOD)
    for record in copied:
        record["experiment"] = {"name": "digits", "hash": "c" * 64}
    one_network = [{"tasks": ["left", "right"], "serves": ["left", "right"], "hash": "c-hash"}]
    entry = grouped(once[0], "copies", "c-hash", "c-hash", groups=one_network, split=["a"], measured_by=["o-hash"])
    (board,) = leaderboards([*single(), *once, *copied, *others], [entry])
    assert {row.label: row.spending for row in board.rows if row.spending} == {"M": "once"}


def test_random_draws_make_a_mean_seed_by_seed(runs: Runs, single: Runs) -> None:
    alone = single()
    records = [*runs("a", (70, 71, 72), (0.40, 0.41, 0.42)), *runs("b", (80, 85, 84), (0.50, 0.51, 0.40))]
    draws = [
        grouped(record, f"random (b=2, draw={draw})", record["baselines"]["left"], record["hash"])
        for draw, record in zip((3, 12), records[::3], strict=True)
    ]
    for draw, entry in zip((3, 12), draws, strict=True):
        entry["grouping"] = {"draw": draw}
    other = grouped(records[0], "random (b=3, draw=3)", "left-hash", records[0]["hash"], grouping={"draw": 3})
    (board,) = leaderboards([*alone, *records], [*draws, other])
    rows = {row.label: row for row in board.rows}
    assert [label for label in rows if "mean" in label] == ["random (b=2, mean of 2 draws)"]
    mean, *each = (rows[f"random (b=2, {told})"] for told in ("mean of 2 draws", "draw=3", "draw=12"))
    assert mean.seeds == (0, 1, 2)
    for seed in mean.seeds:
        assert mean.per_seed[seed] == pytest.approx((each[0].per_seed[seed] + each[1].per_seed[seed]) / 2)
    assert mean.metrics["right", "abs_err"].mean == pytest.approx((0.41 + 0.47) / 2)
    assert mean.cost.forwards == pytest.approx((each[0].cost.forwards + each[1].cost.forwards) / 2)


def test_a_mean_of_draws_is_only_as_converged_as_all_of_them(runs: Runs, single: Runs) -> None:
    good, lost = runs("a", *GOOD), runs("b", *FAIR)
    lost[1]["converged"] = False
    entries = [
        grouped(r[0], f"random (b=2, draw={n})", "left-hash", r[0]["hash"], grouping={"draw": n})
        for n, r in enumerate((good, lost))
    ]
    (board,) = leaderboards([*single(), *good, *lost], entries)
    row = next(row for row in board.rows if "mean" in row.label)
    assert (row.seeds, row.converged) == ((0, 1, 2), (0, 2))


def test_boards_keep_the_order_of_the_entries(runs: Runs, single: Runs) -> None:
    """A set of hashes would order them anew in every process."""
    experiments = [{"name": name, "hash": name * 64} for name in "cdabe"]
    records = [record for one in experiments for record in runs("m", *GOOD, experiment=one)]
    entries = [grouped(record, "groups", "left-hash", record["hash"]) for record in records[::3]]
    boards = leaderboards([*single(), *records], entries)
    assert [board.experiment for board in boards] == list("cdabe")


def test_a_board_says_what_copy_of_the_data_it_stands_on(runs: Runs, single: Runs) -> None:
    records = [*runs("good", *GOOD), *runs("fair", *FAIR), *single()]
    for record in records:
        record["variant"] = "somebody's copy"
    assert leaderboard(records).notes == ("The data: somebody's copy.",)


def test_runs_under_two_selection_rules_make_a_board_each(runs: Runs, single: Runs) -> None:
    """A run's hash does not hold the rule: the same runs lie in two folders, with other values."""
    first = [*single(), *runs("m", *GOOD)]
    second = [
        cast(Record, {**record, "selection": "best_val", "experiment": {"name": "digits", "hash": "e2" * 32}})
        for record in [*single(left=(78, 79, 80)), *runs("m", *FAIR)]
    ]
    files = [
        grouped(records[-1], "groups", "left-hash", "m-hash", measured_by=["m-hash"]) for records in (first, second)
    ]
    boards = leaderboards([*first, *second], files)
    assert [(board.selection, labels(board)) for board in boards] == [
        ("last", ["M", "groups", "single-task"]),
        ("best_val", ["M", "groups", "single-task"]),
    ]
    left = [next(row for row in board.rows if row.label == "groups").metrics["left", "accuracy"] for board in boards]
    assert [value.mean for value in left] == [80, 79]
    without = [record for record in [*first, *second] if record["selection"] == "last" or record["tasks"] != ["left"]]
    damaged: list[Damaged] = []
    assert [labels(board) for board in leaderboards(without, files, damaged)] == [["M", "groups", "single-task"], ["M"]]
    assert "needs run left-hash" in str(damaged[0])


def test_single_task_runs_that_were_looked_at_more_rarely_are_those_of_another_board(runs: Runs, single: Runs) -> None:
    """Under a rule that looks at several evaluations it is not the rule alone that makes two numbers comparable."""
    rule = {"selection": "mean_last_10"}
    first = [record | rule for record in [*single(), *runs("m", *GOOD)]]
    rarely = {"protocol": {"reporting": {"evaluate_every": 2}}}
    change = rule | {"config": rarely, "experiment": {"name": "digits", "hash": "e2" * 32}}
    second = [record | change for record in [*single(left=(78, 79, 80)), *runs("m", *FAIR)]]
    boards = leaderboards([*first, *second])
    assert [labels(board) for board in boards] == [["M", "single-task"]] * 2
    assert [board.rows[1].metrics["left", "accuracy"].mean for board in boards] == [80, 79]


def test_two_entries_of_one_label_are_told_apart(runs: Runs, single: Runs) -> None:
    """As `mtl-bench group` leaves them where it was asked twice, with other seeds."""
    first, second = runs("a", *GOOD), runs("b", *FAIR)
    entries = [
        grouped(records[0], "tag (b=3)", "left-hash", records[0]["hash"], id=f"tag-b3-{digest}01")
        for records, digest in ((first, "012345"), (second, "6789ab"))
    ]
    (board,) = leaderboards([*single(), *first, *second], [*entries, *deepcopy(entries)])
    found = {"tag (b=3) (012345)", "tag (b=3) (6789ab)"}
    assert found < set(labels(board))
    assert delta_m_places(board).keys() == {"A", "B", *found}
    assert {note.partition(":")[0] for note in board.notes} == found
    with pytest.raises(BenchError, match=r"tag is 2 rows of digits: .* write one of them in full"):
        find_pairs([board], "tag", "A")


def test_a_draw_that_was_asked_for_twice_counts_once_in_the_mean(runs: Runs, single: Runs) -> None:
    first, second = runs("a", *GOOD), runs("b", *FAIR)
    entries = [
        grouped(records[0], f"random (b=2, draw={draw})", "left-hash", records[0]["hash"], grouping={"draw": draw})
        for draw, records in ((0, first), (0, first), (1, second))
    ]
    for number, entry in enumerate(entries):
        entry["id"] = f"random-b2-{number}1234567"
    (board,) = leaderboards([*single(), *first, *second], entries)
    rows = {row.label: row for row in board.rows}
    mean = rows["random (b=2, mean of 2 draws)"]
    each = rows["random (b=2, draw=0) (012345)"], rows["random (b=2, draw=1)"]
    for seed in mean.seeds:
        assert mean.per_seed[seed] == pytest.approx((each[0].per_seed[seed] + each[1].per_seed[seed]) / 2)
    assert mean.cost == each[0].cost


def test_seeds_on_both_sides_of_zero_are_told(runs: Runs, single: Runs) -> None:
    """The mean is not zero, and Δm divides by it."""
    methods = [*runs("ls", *GOOD), *runs("uw", *FAIR)]
    board = leaderboard([*methods, *single((-1.0, 2.0, 0.5), (0.4, 0.5, 0.6))])
    told = "Seeds of single-task lie on both sides of zero in accuracy of left: changes relative to their mean"
    assert [note for note in board.notes if told in note]
    assert told in " ".join(remarks(compare_rows(board, *[row for row in board.rows if not row.is_single_task])))
    assert not leaderboard([*methods, *single()]).notes
    rounded = leaderboard([*methods, *single((0.1, 0.2, -0.3), (0.4, 0.5, 0.6))])
    assert "accuracy of left is zero" in rounded.notes[0]
