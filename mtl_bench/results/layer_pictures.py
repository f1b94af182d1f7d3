"""Pictures of layers: how often tasks conflict in each."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.results.grouping_pictures import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, FRAME = 0.13, 0.7  # inches: a layer; title and axis


def draw_layers(scores: Mapping[str, int], pairs: int, chosen: Collection[str], title: str, path: Path) -> None:
    """A bar per layer from input to output, downwards; those chosen are dark."""
    from matplotlib.figure import Figure  # late: half a second

    figure = Figure(figsize=(6.4, LINE * len(scores) + FRAME), layout="constrained")
    layers_panel(figure.subplots(), scores, pairs, chosen, title)
    save_figure(figure, path)


def layers_panel(
    axes: "Axes", scores: Mapping[str, int], pairs: int, chosen: Collection[str], title: str = "conflicts by layer"
) -> None:
    shares = [100 * score / max(1, pairs) for score in scores.values()]
    colours = ["#3B5B7A" if name in chosen else "#B9C6D2" for name in scores]
    axes.barh(range(len(scores)), shares, color=colours)
    axes.set_yticks(range(len(scores)), list(scores), fontsize=5)
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.set_xlabel("% of pairs and batches in conflict", fontsize=8)
    axes.set_title(title, fontsize=8, loc="left")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)
