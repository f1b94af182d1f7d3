"""How often 95 % intervals of Δm hold the true value: `python scripts/coverage.py` (draws: `--draws`).

Simulated protocols whose true Δm is known: metrics of one run are correlated, single-task runs are as noisy as the
method's, calmer, or noisier. Prints the range over the protocols at 3, 5 and 10 seeds for our interval and for others
that could stand in its place, and our interval on each protocol.
"""

import argparse

from mtl_bench.results.coverage import (
    Rule,
    Simulated,
    coverage,
    fixed_baseline,
    percentile_bootstrap,
    pooled,
    second_order,
    welch,
)
from mtl_bench.results.table_text import markdown_table

SEEDS = (3, 5, 10)
NINE = (0.02, 0.02, 0.18, 0.18, -0.12, -0.2, -0.25, -0.15, -0.1)  # as equal weights gain and lose on NYUv2
WORLDS = (
    Simulated("3 tasks, 9 metrics, `metric_mean`", (2, 2, 5), "metric_mean", NINE),
    Simulated("the same, `task_mean`", (2, 2, 5), "task_mean", NINE),
    Simulated("the same, 10 single-task seeds", (2, 2, 5), "task_mean", NINE, single_seeds=10),
    Simulated("2 tasks, 1 metric each", (1, 1), "one_per_task", (0.02, -0.03)),
    Simulated("the same, single-task noise × 3", (1, 1), "one_per_task", (0.02, -0.03), single_noise=0.03),
    Simulated("the same, single-task noise / 3", (1, 1), "one_per_task", (0.02, -0.03), single_noise=0.0033),
    Simulated("11 tasks, 1 metric each", (1,) * 11, "one_per_task", (-0.3, 0.05) * 5 + (-0.1,), correlation=0.2),
)
RULES: dict[str, Rule] = {
    "**delta method, Welch–Satterthwaite** (ours)": welch,
    "the same, critical value to second order": second_order,
    "the same, method's variance pooled over 20": pooled,
    "percentile bootstrap of seeds": percentile_bootstrap,
    "Student's t, single-task means taken for exact": fixed_baseline,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3000)
    draws = parser.parse_args().draws
    found = {
        rule: {world.name: [coverage(world, n, draws, how) for n in SEEDS] for world in WORLDS}
        for rule, how in RULES.items()
    }
    head = [f"{n} seeds" for n in SEEDS]
    print(markdown_table(["interval of Δm", *head], ([rule, *_ranges(rows)] for rule, rows in found.items())))
    print()
    ours = next(iter(found.values()))
    print(markdown_table(["ours on", *head], ([name, *map(_percent, row)] for name, row in ours.items())))


def _ranges(rows: dict[str, list[float]]) -> list[str]:
    """Lowest to highest over the protocols."""
    return [f"{_percent(min(column))} to {_percent(max(column))}" for column in zip(*rows.values(), strict=True)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
