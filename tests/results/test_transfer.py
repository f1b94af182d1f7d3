"""Kendall's τ between method orders: hand-computed and brute-force values, ties, intervals, and the printed table."""

import json
from collections.abc import Callable, Sequence
from itertools import combinations
from math import asin, inf, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import find_records, save_record
from mtl_bench.results.published.catalogue import CATALOGUE, COLUMNS
from mtl_bench.results.published.printed_names import NAMES
from mtl_bench.results.transfer import FEW, Order, board_orders, over_methods, transfer
from mtl_bench.results.transfer_table import transfer_table
from scripts.datasheet import order as datasheet_order
from scripts.transfer import main

Runs = Callable[..., list[Record]]
REFERENCE = Path(__file__).parents[2] / "results/reference"
LETTERS = "abcdefghij"


def printed(values: Sequence[float], name: str = "printed") -> Order:
    return Order(name, dict(zip(LETTERS, values, strict=False)))


def seeded(grid: Sequence[Sequence[float]], name: str = "ours") -> Order:
    """Methods × seeds of Δm."""
    runs = {letter: dict(enumerate(row)) for letter, row in zip(LETTERS, grid, strict=False)}
    return Order(name, {letter: float(np.mean(row)) for letter, row in zip(LETTERS, grid, strict=False)}, runs)


def spread(means: Sequence[float], noise: float = 0.01) -> list[list[float]]:
    """Three seeds around each mean, residuals ±noise in patterns that differ between neighbours."""
    patterns = ((noise, -noise, 0), (0, noise, -noise), (-noise, 0, noise))
    return [[mean + shift for shift in patterns[i % 3]] for i, mean in enumerate(means)]


def brute(a: Sequence[float], b: Sequence[float]) -> float | None:
    pairs = list(combinations(range(len(a)), 2))
    x = [(a[i] > a[j]) - (a[i] < a[j]) for i, j in pairs]
    y = [(b[i] > b[j]) - (b[i] < b[j]) for i, j in pairs]
    scale = sqrt(sum(map(abs, x)) * sum(map(abs, y)))
    return sum(s * t for s, t in zip(x, y, strict=True)) / scale if scale else None


def test_one_swapped_pair_of_six() -> None:
    found = transfer(printed([4, 3, 2, 1]), printed([4, 3, 1, 2]))
    assert found.tau == pytest.approx((5 - 1) / 6)
    assert found.shared == tuple("abcd")


def test_ties_shrink_the_scale_of_tau_b() -> None:
    # a and b tie on the left, so five pairs are ordered there and six on the right: all five agree.
    assert transfer(printed([4, 4, 2, 1]), printed([4, 3, 2, 1])).tau == pytest.approx(5 / sqrt(5 * 6))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=8))
def test_tau_is_that_of_counting_pairs(points: list[tuple[int, int]]) -> None:
    a, b = [float(x) for x, _ in points], [float(y) if y > -3 else -inf for _, y in points]
    found, expected = transfer(printed(a), printed(b)).tau, brute(a, b)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_only_shared_methods_count_best_of_the_first_board_first() -> None:
    first = Order("one", {"a": 1.0, "only here": 9.0, "b": 2.0, "c": 3.0})
    second = Order("two", {"c": 30.0, "b": 20.0, "only there": 99.0, "a": 10.0})
    found = transfer(first, second)
    assert (found.shared, found.tau) == (("c", "b", "a"), pytest.approx(1))


@pytest.mark.parametrize("count", range(FEW))
def test_too_few_shared_methods_have_no_interval(count: int) -> None:
    grid = spread([9.0, 5.0, 1.0][:count])
    found = transfer(seeded(grid), seeded(grid))
    assert (found.over_seeds, found.over_methods) == (None, None)
    assert found.tau == (pytest.approx(1) if count > 1 else None)


def test_methods_tied_with_the_best_are_joined() -> None:
    # b trails a by −1, +2 and +1 at the three seeds, which may be nothing; c and d are far behind.
    order = seeded([[10, 12, 11], [11, 10, 10], [5.0, 5.1, 5.2], [1.1, 1.0, 1.2]])
    assert order.joined("abcd") == pytest.approx([11, 11, 5.1, 1.1])
    found = transfer(order, printed([4, 3, 2, 1]))
    assert found.tau == pytest.approx(1)
    assert found.tau_joined == pytest.approx(5 / sqrt(5 * 6))


def test_ties_are_with_the_best_of_the_compared_methods() -> None:
    order = seeded([[10, 12, 11], [11, 10, 10], [5.0, 5.1, 5.2]])
    assert order.joined("bc") == pytest.approx([31 / 3, 5.1])


def test_where_all_tie_with_the_best_no_order_is_left() -> None:
    found = transfer(seeded([[1, 5, 3], [5, 2, 1], [3, 1, 4], [2, 3, 2.5]]), printed([4, 3, 2, 1]))
    assert found.tau is not None
    assert found.tau_joined is None
    assert found.over_seeds == pytest.approx((-1, 1))


def test_settled_orders_have_no_width_over_seeds() -> None:
    far = seeded(spread([40.0, 30.0, 20.0, 10.0]))
    assert transfer(far, printed([4, 3, 1, 2])).over_seeds == pytest.approx((4 / 6, 4 / 6))
    assert transfer(far, seeded(spread([40.0, 30.0, 10.0, 20.0]))).over_seeds == pytest.approx((4 / 6, 4 / 6))


@pytest.mark.parametrize("swap", [False, True])
def test_one_open_pair_may_stand_either_way(swap: bool) -> None:
    ours, theirs = seeded(spread([40.0, 30.0, 20.0, 20.001])), printed([4, 3, 2, 1])
    found = transfer(theirs, ours) if swap else transfer(ours, theirs)
    assert found.tau == pytest.approx(4 / 6)
    assert found.over_seeds == pytest.approx((4 / 6, 1))


def test_a_printed_tie_stays_a_tie_whatever_the_seeds_say() -> None:
    found = transfer(seeded(spread([40.0, 30.0, 20.0, 20.001])), printed([4, 3, 2, 2]))
    assert found.over_seeds == pytest.approx((5 / sqrt(30), 5 / sqrt(30)))


def test_open_pairs_are_those_of_tukeys_test() -> None:
    grid = np.random.default_rng(3).normal(size=(5, 4)) + 1.5 * np.arange(5)[:, None]
    means, s, n, df = grid.mean(axis=1), 0.0, 4, 4 * 3
    for i, j in np.ndindex(grid.shape):
        s += (grid[i, j] - grid[i].mean() - grid[:, j].mean() + grid.mean()) ** 2 / df
    margin = stats.studentized_range.ppf(0.95, 5, df) * sqrt(s / n)
    open_pairs = sum(abs(x - y) <= margin for x, y in combinations(means, 2))
    assert 0 < open_pairs < 10
    found = transfer(seeded(grid.tolist()), printed(means.tolist()))
    assert found.over_seeds == pytest.approx((1 - 2 * open_pairs / 10, 1))


def test_published_orders_have_no_seeds_and_one_seed_tells_nothing() -> None:
    assert transfer(printed([4, 3, 2, 1]), printed([4, 3, 2, 1])).over_seeds is None
    assert transfer(seeded([[4], [3], [2], [1]]), printed([4, 3, 2, 1])).over_seeds is None
    assert transfer(seeded([[4], [3], [2], [1]]), seeded(spread([4, 3, 2, 1]))).over_seeds is None


def test_a_diverged_method_ranks_last_by_rule() -> None:
    ours = seeded(spread([40.0, 30.0, 20.0]))
    with_loss = Order("ours", {**ours.delta_m, "d": -inf}, ours.per_seed)
    found = transfer(with_loss, printed([4, 3, 1, 2]))
    assert found.tau == found.tau_joined == pytest.approx(4 / 6)
    assert found.over_seeds == pytest.approx((4 / 6, 4 / 6))


@settings(deadline=None, max_examples=20)
@given(st.integers(4, 9), st.data())
def test_limits_over_methods_hold_tau_and_mirror(methods: int, data: st.DataObject) -> None:
    pairs = methods * (methods - 1) // 2
    tau = 2 * data.draw(st.integers(0, pairs)) / pairs - 1
    low, high = over_methods(tau, methods)
    assert -1 <= low <= tau <= high <= 1
    assert high > low
    mirrored = over_methods(-tau, methods)
    assert mirrored == pytest.approx((-high, -low), abs=0.05)  # equal but for the draws


def test_the_same_order_of_few_methods_is_little_evidence() -> None:
    # Five methods stand in the same order by chance once in 5! = 120 draws, four once in 24: more than 2.5 %.
    assert over_methods(1, 4)[0] < 0 < over_methods(1, 5)[0]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_limits_over_methods_cover_the_population(rho: float) -> None:
    true, rng, limits = 2 / pi * asin(rho), np.random.default_rng(1), {}
    hits = 0
    for _ in range(400):
        u, e = rng.standard_normal((2, 6))
        tau = round(float(stats.kendalltau(u, rho * u + sqrt(1 - rho**2) * e).statistic), 6)
        limits.setdefault(tau, over_methods(tau, 6))
        hits += limits[tau][0] <= true <= limits[tau][1]
    assert hits >= 400 * 0.95 - 3 * sqrt(400 * 0.95 * 0.05)


def test_ties_widen_the_limits_over_methods() -> None:
    between = over_methods(0.1, 5)  # 5.5 of 10 pairs concordant
    assert between[0] == over_methods(0.0, 5)[0]
    assert between[1] == over_methods(0.2, 5)[1]


def test_the_order_of_a_board_is_its_delta_m(runs: Runs, single: Runs) -> None:
    lost = runs("lost", [99, 99, 99], [0.1, 0.1, 0.1])
    lost[1]["converged"] = False
    good, poor = runs("good", [84, 85, 86], [0.46, 0.45, 0.44]), runs("poor", [84, 85, 86], [0.66, 0.65, 0.64])
    (order,) = board_orders([*good, *poor, *lost, *single()])
    assert order.name == "digits"
    assert order.delta_m == {"good": pytest.approx(8.125), "poor": pytest.approx(-11.875), "lost": -inf}
    assert np.mean(list(order.per_seed["poor"].values())) == pytest.approx(-11.875)
    assert "lost" not in order.per_seed


def test_the_plain_configuration_of_a_method_stands_for_it(runs: Runs, single: Runs) -> None:
    def named(label: str, digest: str, right: float) -> list[Record]:
        made = runs("ls", [85] * 3, [right] * 3, hash=digest)
        return [record | {"method": {"name": "ls", "label": label}} for record in made]

    tuned, other = named("ls (c=1)", "11", 0.3), named("ls (c=2)", "22", 0.2)
    (order,) = board_orders([*tuned, *named("ls", "33", 0.45), *single()])
    assert order.delta_m == {"ls": pytest.approx(8.125)}
    assert list(board_orders([*tuned, *single()])[0].delta_m) == ["ls"]
    records = [*named("ls", "33", 0.4), *tuned, *named("ls (c=2)", "22", 0.45), *single()]
    (order,) = board_orders(records, lambda name: f"{name} (c=2)")
    assert (order.delta_m, order.left_out) == ({"ls": pytest.approx(8.125)}, ())
    (order,) = board_orders([*tuned, *other, *runs("uw", [85] * 3, [0.45] * 3), *single()])
    assert (list(order.delta_m), order.left_out) == (["uw"], ("ls",))
    told = transfer_table([order, printed([1, 2])]).splitlines()[-1]
    assert told == "- digits leaves out ls: recorded with several options and never as they come."


def test_two_settings_of_one_experiment_keep_two_names(runs: Runs, single: Runs) -> None:
    other = runs("ls", [85] * 3, [0.4] * 3, experiment={"name": "digits", "hash": "e2" * 32})
    orders = board_orders([*runs("ls", [85] * 3, [0.45] * 3), *other, *single()])
    assert [order.name for order in orders] == ["digits (e1e1e1)", "digits (e2e2e2)"]


def test_a_board_without_delta_m_is_refused(runs: Runs) -> None:
    with pytest.raises(BenchError, match=r"'digits' has no Δm to order methods by.*single-task runs"):
        board_orders(runs("ls", [85], [0.45]))


def test_the_script_prints_every_pair(
    runs: Runs, single: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = {"a": 0.30, "b": 0.40, "c": 0.50, "d": 0.60}
    records = [*single(), *(r for m, v in methods.items() for r in runs(m, [80] * 3, [v, v + 0.001, v - 0.001]))]
    for index, record in enumerate(records):
        (tmp_path / str(index)).mkdir()
        save_record(tmp_path / str(index) / "record.json", record)
    tables = {}
    for name, rows in {"near": "a,1\nb,2\nc,4\nd,3", "few": "a,1\nb,2\nz,3"}.items():
        lines = [f"S,D-{name},net,{row.replace(',', ',DeltaM%,lower,')},,," for row in rows.splitlines()]
        (tmp_path / f"{name}.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
        tables[name] = {"title": name, "rows": {"file": name}, "deltas": {"DeltaM%": "task_mean"}, "order": True}
    (tmp_path / CATALOGUE).write_text(json.dumps({"experiments": {}, "tables": tables}))
    (tmp_path / NAMES).write_text("{single_task: [], methods: {}, tables: {}}")
    main([str(tmp_path), "--published", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [
        "| digits × D-few (published) | 2 | +1.00 | too few | too few | +1.00 | a, b |",
        "| digits × D-near (published) | 4 | +0.67 | [+0.67, +0.67] | " + _limits(4 / 6) + " | +0.67 | a, b, c, d |",
        "| D-few (published) × D-near (published) | 2 | +1.00 | too few | too few | +1.00 | a, b |",
    ]
    assert lines[5] == ""


@pytest.mark.slow
def test_the_committed_records_have_orders(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert "\n| rooms × rooms_equal_passes | " in capsys.readouterr().out
    assert "\n| rooms × rooms11 | " in datasheet_order(find_records([REFERENCE]))


def test_the_script_says_in_one_sentence_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path)])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith("No record of a multi-task method was found")


def _limits(tau: float) -> str:
    low, high = over_methods(tau, 4)
    return f"[{low:+.2f}, {high:+.2f}]".replace("-", "−")
