"""Δm of every method with its interval: one panel per experiment, the best method on top."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError
from mtl_bench.results.axis_scale import Scale, Tone, delta_scale, tone
from mtl_bench.results.board import Board
from mtl_bench.results.grouping_pictures import save_figure
from mtl_bench.results.render import signed
from mtl_bench.results.row import Estimate, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe–Ito colours; position against the zero line says the same, so nothing rests on colour alone.
BETTER, WORSE, OPEN = "#0072B2", "#D55E00", "#7F7F7F"
TONES: dict[Tone, str] = {"better": BETTER, "worse": WORSE, "open": OPEN}
WIDTH, ROW, FRAME = 7.2, 0.27, 0.75  # inches: figure width, height of a row, height of a panel's title and axis


def plot_delta_m(boards: Sequence[Board], path: Path) -> None:
    """Saves the figure; the suffix of `path` chooses the format (.png, .svg, .pdf).

    Raises BenchError when no board has a Δm or the file cannot be written.
    """
    from matplotlib.figure import Figure  # late: half a second; a bare Figure needs no display and no pyplot state

    shown = [board for board in boards if any(row.delta_m for row in board.rows)]
    if not shown:
        raise BenchError("No board has a Δm to plot; train the single-task runs first.")
    heights = [FRAME + ROW * len(_rows(board)) for board in shown]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.3), layout="constrained")
    panels = figure.subplots(len(shown), squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for board, axes in zip(shown, panels, strict=True):
        rows = _rows(board)
        scale = delta_scale(rows)
        dress(axes, board.experiment, [_label(row) for row in rows])
        axes.set_xlim(scale.low, scale.high)
        for place, row in enumerate(rows):
            if row.delta_m:
                draw = _dot if scale.holds(row.delta_m) else _beyond
                draw(axes, place, row.delta_m, scale, TONES[tone(row)])
    told = "right of 0 is better than single-task, grey not told from it; lines: 95 % intervals over seeds"
    figure.supxlabel(f"Δm (%): {told}", fontsize=9)
    save_figure(figure, path, dpi=200)


def dress(axes: "Axes", title: str, labels: Sequence[str]) -> None:
    """A panel of one row per label, the first on top, and a line at zero."""
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.axvline(0, color="black", linewidth=0.8, zorder=1.5)  # above the grid, below the dots
    axes.set_yticks(range(len(labels)), labels, fontsize=9)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _dot(axes: "Axes", place: int, change: Estimate, scale: Scale, colour: str) -> None:
    span = change.interval
    if span is None:
        axes.plot(change.mean, place, "o", markersize=6, markerfacecolor="white", color=colour)
        return
    axes.plot([span.low, span.high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
    axes.plot(change.mean, place, "o", markersize=6, color=colour)
    for left, cut in ((True, span.low < scale.low), (False, span.high > scale.high)):
        if cut:
            _arrow(axes, place, scale, left, colour)


def _arrow(axes: "Axes", place: int, scale: Scale, left: bool, colour: str) -> float:
    """At the edge, behind which something goes on; where it stands."""
    inside = 0.01 * (scale.high - scale.low)
    edge = scale.low + inside if left else scale.high - inside
    axes.plot(edge, place, "<" if left else ">", markersize=6, color=colour)
    return edge


def _beyond(axes: "Axes", place: int, change: Estimate, scale: Scale, colour: str) -> None:
    """An arrow at the edge and the number: drawn to scale, what nearly diverged would press all others into a line."""
    left = change.mean < scale.low
    axes.annotate(
        signed(change),
        (_arrow(axes, place, scale, left, colour), place),
        xytext=(9 if left else -9, 0),
        textcoords="offset points",
        ha="left" if left else "right",
        va="center",
        fontsize=8,
        color=colour,
    )


def _label(row: Row) -> str:
    """A hollow dot has no interval; the label says why."""
    if row.diverged:
        return f"{row.label} ({len(row.converged)}/{len(row.seeds)} converged)"
    return f"{row.label} (1 seed)" if len(row.seeds) == 1 else row.label


def _rows(board: Board) -> list[Row]:
    """The single-task row is the zero line."""
    return [row for row in board.rows if not row.is_single_task]
