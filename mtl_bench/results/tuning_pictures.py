"""Searches as a picture: what more trials buy, and how much the learning rate matters."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from mtl_bench.errors import BenchError
from mtl_bench.pictures.colours import STRONG
from mtl_bench.records.entry import EntryFile
from mtl_bench.results.budget_curve import budget_curve
from mtl_bench.results.grouping_pictures import save_figure
from mtl_bench.results.tuned_rows import budget_in_words, budget_of, is_alone

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TONES = [f"#{tone}" for tone in STRONG.split()]
MARKS = "osD^vP*X<>"
ALONE = "#7F7F7F"
RATE = "protocol.training.optimizer.lr"
LINES = ("-", "-.", ":")  # one more for every time that the tones begin anew
DEEP = 25.0  # percent below the middle of the best scores: what all but diverged must not flatten the rest
WIDTH, HEIGHT, ROW = 10.5, 3.6, 0.2  # inches: the figure, a pair of panels, a line of the legend


def draw_tuning(files: Sequence[EntryFile], path: Path) -> None:
    """For every experiment and budget: expected best score after n trials, and scores of trials by learning rate.

    Raises BenchError when there are no searches, or the picture cannot be written.
    """
    from matplotlib.figure import Figure  # late: half a second

    boards: dict[tuple[str, ...], list[EntryFile]] = {}
    for file in files:
        if "tuning" in file and all(study["trials"] for study in file["tuning"]["studies"]):
            boards.setdefault((file["experiment"]["hash"], *budget_of(file["tuning"])), []).append(file)
    if not boards:
        raise BenchError("No search lies in these folders; `mtl-bench tune method=NAME,NAME` makes one.")
    heights = [max(HEIGHT, 0.6 + ROW * len(of)) for of in boards.values()]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    rows = figure.subplots(len(boards), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (left, right), of in zip(rows, boards.values(), strict=True):
        _pair(left, right, sorted(of, key=is_alone))
    save_figure(figure, path)


def _pair(left: "Axes", right: "Axes", files: Sequence[EntryFile]) -> None:
    from matplotlib.ticker import MaxNLocator

    tuning, curves = files[0]["tuning"], [_curve(file) for file in files]
    floor = min(0.0, float(np.median([curve[-1] for curve in curves]))) - DEEP
    low = f"{floor:.0f}".replace("-", "−")
    for number, file in enumerate(files):
        name, alone = file["label"].partition(", tuned")[0], is_alone(file)
        tone, mark = (ALONE, "x") if alone else (TONES[number % len(TONES)], MARKS[number % len(MARKS)])
        line = "--" if alone else LINES[number // len(TONES) % len(LINES)]
        # not drawn below the floor: a line along it would be read as a score
        curve = np.where(curves[number] < floor, np.nan, curves[number])
        told_name = name if np.isfinite(curve).any() else f"{name} (below {low})"
        left.plot(range(1, len(curve) + 1), curve, color=tone, linestyle=line, label=told_name)
        for study in file["tuning"]["studies"]:
            told = [(t["values"][RATE], max(t["score"], floor)) for t in study["trials"] if t["score"] is not None]
            right.plot(
                *np.array(told).reshape(-1, 2).T,
                mark,
                color=tone,
                markersize=4.5,
                alpha=0.8,
                label=name,
                linestyle="none",
            )
    left.set_title(f"{files[0]['experiment']['name']}: expected best of n trials", loc="left", fontsize=10)
    hidden = f"; below {low} nothing is drawn" if any((curve < floor).any() for curve in curves) else ""
    left.set_xlabel(f"trials n (of {budget_in_words(tuning)}{hidden})", fontsize=8)
    left.set_ylabel("validation Δm % (task_mean)\nagainst untuned single-task", fontsize=8)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_title("every trial, by its learning rate", loc="left", fontsize=10)
    right.set_xscale("log")
    right.margins(0.08)
    right.set_xlabel(f"learning rate (what scored less than {low} stands there)", fontsize=8)
    right.xaxis.set_major_formatter("{x:g}")
    right.xaxis.set_minor_formatter("")
    space = files[0]["tuning"]["studies"][0]["space"][RATE]
    right.set_xlim(space["low"] / 1.3, space["high"] * 1.3)
    names = dict(zip(*left.get_legend_handles_labels()[::-1], strict=True))
    right.legend(names.values(), names, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for axes in (left, right):
        axes.axhline(0, color="black", linewidth=0.6, zorder=0)
        axes.tick_params(labelsize=8)
        axes.grid(color="#E6E6E6", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)


def _curve(file: EntryFile) -> Float[np.ndarray, "trials"]:
    """Of single-task runs the mean over tasks, each of which has its own search."""
    curves = [budget_curve(study) for study in file["tuning"]["studies"]]
    shortest = min(map(len, curves))
    return np.mean([curve[:shortest] for curve in curves], axis=0)
