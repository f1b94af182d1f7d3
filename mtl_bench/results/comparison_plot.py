"""Two rows against each other: Δm and every task with its interval, one panel per board."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.results.comparison import Comparison, Gap
from mtl_bench.results.comparison_text import heading
from mtl_bench.results.grouping_pictures import save_figure
from mtl_bench.results.plot import BETTER, FRAME, OPEN, ROW, WIDTH, WORSE, dress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"gains": BETTER, "loses": WORSE, "not told apart": OPEN}


def plot_comparisons(comparisons: Sequence[Comparison], path: Path) -> None:
    """Saves the figure; the suffix of `path` chooses the format. Raises BenchError when it cannot be written."""
    from matplotlib.figure import Figure  # late: half a second

    lines = [_lines(found) for found in comparisons]
    heights = [FRAME + ROW * len(gaps) for gaps in lines]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.45), layout="constrained")
    panels = figure.subplots(len(lines), squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for found, gaps, axes in zip(comparisons, lines, panels, strict=True):
        dress(axes, heading(found), [gap.name for gap in gaps])
        for place, gap in enumerate(gaps):
            _draw(axes, place, gap)
    figure.supxlabel(
        f"Difference (%): right of 0 {comparisons[0].first.label} is better; lines: 95 % intervals; ticks: seeds\n"
        "grey: not told apart (tasks adjusted by Holm); hollow: no interval",
        fontsize=9,
    )
    save_figure(figure, path, dpi=200)


def _lines(found: Comparison) -> list[Gap]:
    return [*([found.delta_m] if found.delta_m else []), *found.tasks]


def _draw(axes: "Axes", place: int, gap: Gap) -> None:
    colour, span = COLOURS[gap.verdict], gap.interval
    axes.plot(gap.seeds, [place] * len(gap.seeds), "|", color=colour, markersize=9, alpha=0.6)
    if span:
        axes.plot([span.low, span.high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
    axes.plot(gap.mean, place, "o", markersize=6, color=colour, markerfacecolor=colour if span else "white")
