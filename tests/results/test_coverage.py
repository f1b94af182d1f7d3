"""Intervals of Δm hold the true value in 95 % of simulated boards, whatever the single-task runs' noise."""

from dataclasses import replace

import numpy as np
import pytest

from mtl_bench.results.coverage import (
    Simulated,
    coverage,
    fixed_baseline,
    percentile_bootstrap,
    pooled,
    second_order,
    welch,
)

GAINS = (0.05, 0.04, -0.02)
MIXED = Simulated("two metrics and one", (2, 1), "metric_mean", GAINS, single_noise=0.015)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("definition", ["metric_mean", "task_mean"])
def test_between_93_and_97_percent(seeds: int, definition: str) -> None:
    """More draws where seeds are few, as coverage is nearest to its bound there (96.5 % in 4,000 draws of three)."""
    assert 0.93 <= coverage(replace(MIXED, definition=definition), seeds, 9000 // seeds, welch) <= 0.97


def test_others_fall_short() -> None:
    """What the interval is chosen over; at three seeds their gaps are far larger than 300 draws can blur."""
    noisy = replace(MIXED, single_noise=0.03)
    assert coverage(noisy, 3, 300, percentile_bootstrap) < 0.88
    assert coverage(noisy, 10, 300, fixed_baseline) < 0.75
    assert coverage(noisy, 10, 300, welch) > 0.92


def test_what_would_hold_where_ours_is_short() -> None:
    """Three seeds of a quiet method beside ten single-task ones; 4,000 draws leave 0.4 %."""
    beside_ten = replace(MIXED, single_noise=0.01, single_seeds=10)
    assert coverage(beside_ten, 3, 4000, welch) < coverage(beside_ten, 3, 4000, second_order)
    assert 0.94 <= coverage(beside_ten, 3, 4000, pooled) <= 0.96


def test_the_true_value_by_hand_and_what_is_drawn() -> None:
    """50 · 1.05, 0.5 · 0.96, 50 · 0.98: every second metric of a task is an error, so gains are gains."""
    assert MIXED.truth() == pytest.approx(100 * sum(GAINS) / 3)
    assert replace(MIXED, definition="task_mean").truth() == pytest.approx(100 * (0.045 - 0.02) / 2)
    rows, runs = replace(MIXED, single_seeds=4).draw(4000, np.random.default_rng(0))
    assert [len(run) for run in runs.values()] == [4, 4]
    up, down = (np.array([row["task_0"][f"metric_{m}"] for row in rows]) for m in (0, 1))
    assert up.mean() == pytest.approx(52.5, rel=1e-3)
    assert up.std() / 52.5 == pytest.approx(0.01, rel=0.05)
    assert np.corrcoef(up, down)[0, 1] == pytest.approx(0.5, abs=0.05)
