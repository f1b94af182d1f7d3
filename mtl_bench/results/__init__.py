"""Everything derived from run records: Δm, intervals, leaderboards, plots. Reads JSON, trains nothing."""

from mtl_bench.results.board import Board, leaderboard, leaderboards
from mtl_bench.results.change import delta_m
from mtl_bench.results.intervals import (
    Interval,
    equivalent,
    holm,
    interval,
    mean_interval,
    paired_difference,
)
from mtl_bench.results.plot import plot_delta_m
from mtl_bench.results.render import markdown
from mtl_bench.results.row import Row
from mtl_bench.results.screen import show
from mtl_bench.results.spread import Spread, difference, pooled_spread

__all__ = [
    "Board",
    "Interval",
    "Row",
    "Spread",
    "delta_m",
    "difference",
    "equivalent",
    "holm",
    "interval",
    "leaderboard",
    "leaderboards",
    "markdown",
    "mean_interval",
    "paired_difference",
    "plot_delta_m",
    "pooled_spread",
    "show",
]
