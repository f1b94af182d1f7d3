"""Δm against published tables, and what it refuses."""

import math
from statistics import fmean

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.results import delta_m, interval
from mtl_bench.results.change import seed_mean, task_means

NYU = {
    "segmentation": ["mean_iou", "pixel_accuracy"],
    "depth": ["abs_err", "rel_err"],
    "normals": ["mean", "median", "within_11", "within_22", "within_30"],
}
BETTER = {
    "segmentation": {"mean_iou": True, "pixel_accuracy": True},
    "depth": {"abs_err": False, "rel_err": False},
    "normals": {"mean": False, "median": False, "within_11": True, "within_22": True, "within_30": True},
}
# Equal-weights row (LS) and single-task row of NYUv2, SegNet-MTAN: FAMO (Liu et al., NeurIPS 2023), Table 1.
LS = [39.29, 65.33, 0.5493, 0.2263, 28.15, 23.96, 22.09, 47.50, 61.08]
SINGLE = [38.30, 63.76, 0.6754, 0.2780, 25.01, 19.21, 30.14, 57.20, 69.15]
# The single-task row as Aligned-MTL (Senushkin et al., CVPR 2023), Table 2, prints it: two digits in depth.
ROUNDED = [38.30, 63.76, 0.68, 0.28, 25.01, 19.21, 30.14, 57.20, 69.15]


def table(row: list[float]) -> dict[str, dict[str, float]]:
    values = iter(row)
    return {task: {metric: next(values) for metric in metrics} for task, metrics in NYU.items()}


@pytest.mark.parametrize(
    ("baseline", "definition", "printed"),
    [
        (SINGLE, "metric_mean", 5.59),  # FAMO, Table 1
        (ROUNDED, "metric_mean", 5.46),  # Aligned-MTL, Table 2, DeltaM%
        (ROUNDED, "task_mean", -1.07),  # Aligned-MTL, Table 2, DeltaM_task%: the other sign from the same row
    ],
)
def test_published_rows_come_out_with_the_sign_turned(baseline: list[float], definition: str, printed: float) -> None:
    # Papers print lower-is-better; half a unit of the last printed digit.
    assert delta_m(table(LS), table(baseline), BETTER, definition, NYU) == pytest.approx(-printed, abs=0.005)


def test_a_lower_error_is_a_gain_and_single_task_against_itself_is_zero() -> None:
    better, terms = {"depth": {"abs_err": False}}, {"depth": ["abs_err"]}
    gain = delta_m({"depth": {"abs_err": 0.4}}, {"depth": {"abs_err": 0.5}}, better, "metric_mean", terms)
    assert gain == pytest.approx(20)
    assert delta_m(table(SINGLE), table(SINGLE), BETTER, "task_mean", NYU) == 0


@pytest.mark.parametrize(
    ("baseline", "value", "higher_is_better", "change"),
    [
        (-0.5, -0.1, True, 80),  # R² below zero, better
        (-0.5, -0.9, True, -80),
        (-0.5, 0.5, True, 200),  # across zero
        (-2.0, -2.5, False, 25),  # a negative log-likelihood, lower is better
        (-2.0, -1.5, False, -25),
        (0.5, -0.5, True, -200),
    ],
)
def test_a_baseline_below_zero_counts_by_its_size(
    baseline: float, value: float, higher_is_better: bool, change: float
) -> None:
    better, terms = {"t": {"x": higher_is_better}}, {"t": ["x"]}
    found = delta_m({"t": {"x": value}}, {"t": {"x": baseline}}, better, "task_mean", terms)
    assert found == pytest.approx(change, rel=1e-15)


def test_only_terms_count_and_one_per_task_weighs_tasks_alike() -> None:
    terms = {"segmentation": ["mean_iou"], "depth": ["rel_err"]}
    gains = (39.29 / 38.30 - 1, 1 - 0.2263 / 0.2780)
    assert delta_m(table(LS), table(SINGLE), BETTER, "one_per_task", terms) == pytest.approx(50 * sum(gains))


@pytest.mark.parametrize(
    ("values", "baseline", "definition", "terms", "says"),
    [
        (table(LS), table(SINGLE), "one_per_task", NYU, "one metric per task.*'segmentation'"),
        (table(LS), table([0.0, *SINGLE[1:]]), "metric_mean", NYU, "'mean_iou' of task 'segmentation' is zero"),
        ({"depth": {}}, table(SINGLE), "metric_mean", NYU, "Task 'segmentation'"),
        (table(LS), {**table(SINGLE), "depth": {"abs_err": 1.0}}, "metric_mean", NYU, "'rel_err' of task 'depth'"),
        (table([float("nan"), *LS[1:]]), table(SINGLE), "metric_mean", NYU, "is nan"),
        (table(LS), table(SINGLE), "median", NYU, "'median' is unknown"),
        (table(LS), table(SINGLE), "task_mean", {"depth": []}, "'depth'.*none"),
        (table(LS), table(SINGLE), "task_mean", {}, "every task"),
        (table(LS), table(SINGLE), "task_mean", {"depth": ["rel_err"] * 2}, "counts a metric once, and task depth"),
    ],
)
def test_refusals_are_one_sentence(values: dict, baseline: dict, definition: str, terms: dict, says: str) -> None:
    with pytest.raises(BenchError, match=says) as refusal:
        delta_m(values, baseline, BETTER, definition, terms)
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("seeds", [[0.1, 0.2, -0.3], [0.3, 0.3, -0.6], [1e-300] * 3, [5e-324], [0.0]])
def test_nothing_is_relative_to_a_mean_that_is_zero_but_for_rounding(seeds: list[float]) -> None:
    terms, better = {"t": ["x"]}, {"t": {"x": True}}
    alone = {"t": [{"x": seed} for seed in seeds]}
    for found in (task_means(alone, terms), {"t": {"x": seed_mean(seeds)}}):
        with pytest.raises(BenchError, match="'x' of task 't' is zero, so no relative change exists"):
            delta_m({"t": {"x": 1.0}}, found, better, "task_mean", terms)
    runs = [{"t": {"x": float(n)}} for n in range(3)]
    if len(seeds) > 1:
        with pytest.raises(BenchError, match="is zero"):
            interval(runs, alone, better, "task_mean", terms)


@pytest.mark.parametrize("seeds", [[0.1, 0.2, -0.299], [1e-20, 2e-20], [-3.0, -1.0], [math.inf, 1.0]])
def test_other_means_are_as_they_are(seeds: list[float]) -> None:
    assert seed_mean(seeds) == fmean(seeds)
