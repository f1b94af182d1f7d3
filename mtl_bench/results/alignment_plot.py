"""Measured conflict against gain or harm: one scatter over all runs and boards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtl_bench.results.alignment import Aligned
from mtl_bench.results.grouping_pictures import save_figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe–Ito
MARKS = "osD^vP*X"  # a board keeps its mark where colours come round again


def plot_alignments(points: Sequence[Aligned], path: Path) -> None:
    """Small: a task of one run; large: the task's mean over runs, named. The suffix chooses the format."""
    from matplotlib.figure import Figure  # late: half a second

    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="black", linewidth=0.8)
    for number, board in enumerate(dict.fromkeys(point.board for point in points)):
        own = [point for point in points if point.board == board]
        look: dict[str, Any] = {
            "marker": MARKS[number % len(MARKS)],
            "color": COLOURS[number % len(COLOURS)],
            "linewidths": 0,
        }
        axes.scatter([p.cosine for p in own], [p.change for p in own], s=12, alpha=0.45, **look)
        for task in dict.fromkeys(point.task for point in own):
            of = [point for point in own if point.task == task]
            x, y = (sum(values) / len(of) for values in ([p.cosine for p in of], [p.change for p in of]))
            axes.scatter(x, y, s=48, label=board if task == own[0].task else None, **look)
            axes.annotate(task, (x, y), xytext=(5, 4), textcoords="offset points", fontsize=7)
    axes.set_xlabel("cosine of the task's gradient to the mean of all (unit lengths, mean over training)", fontsize=9)
    axes.set_ylabel("change against single-task (%): up is better", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    save_figure(figure, path, dpi=200)
