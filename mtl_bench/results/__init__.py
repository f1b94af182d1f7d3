"""Everything derived from run records: Δm, intervals, leaderboards, plots. Reads JSON, trains nothing."""

from mtl_bench.results.board import Board, leaderboard, leaderboards
from mtl_bench.results.change import delta_m
from mtl_bench.results.intervals import Interval, difference, holm, interval, mean_interval
from mtl_bench.results.plot import plot_delta_m
from mtl_bench.results.render import markdown, show, terminal
from mtl_bench.results.row import Row

__all__ = [
    "Board",
    "Interval",
    "Row",
    "delta_m",
    "difference",
    "holm",
    "interval",
    "leaderboard",
    "leaderboards",
    "markdown",
    "mean_interval",
    "plot_delta_m",
    "show",
    "terminal",
]
