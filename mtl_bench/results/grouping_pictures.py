"""Pictures of task grouping: affinities as a heat map, and which network serves which task."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from mtl_bench.errors import BenchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL, FRAME = 0.62, 1.7  # inches: side of a matrix cell; room for names and the colour bar


def draw_matrix(matrix: Float[np.ndarray, "K K"], tasks: Sequence[str], title: str, path: Path) -> None:
    """One matrix, [source, target], as a picture of its own."""
    from matplotlib.figure import Figure  # late: half a second

    side = CELL * len(tasks) + FRAME
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    matrix_panel(figure.subplots(), matrix, tasks, title)
    save_figure(figure, path)


def matrix_panel(axes: "Axes", matrix: Float[np.ndarray, "K K"], tasks: Sequence[str], title: str) -> None:
    """Violet is positive, orange negative, white zero. The diagonal, which no choice reads, sets no scale."""
    K = len(tasks)
    limit = float(np.nanmax(np.abs(np.where(np.eye(K, dtype=bool), 0.0, matrix)))) or 1.0
    image = axes.imshow(matrix, cmap="PuOr", vmin=-limit, vmax=limit)
    for source in range(K):
        for target in range(K):
            if np.isnan(value := matrix[source, target]):
                continue
            colour = "white" if abs(value) > 0.65 * limit else "black"
            axes.text(target, source, f"{value:.2g}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(K), tasks, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(K), tasks, fontsize=8)
    axes.set_xlabel("target", fontsize=8)
    axes.set_ylabel("source", fontsize=8)
    axes.set_title(title, fontsize=8, loc="left", wrap=True)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if (figure := axes.get_figure(root=True)) is not None:
        figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03).ax.tick_params(labelsize=7)


def draw_serving(tasks: Sequence[str], groups: Sequence[Sequence[int]], serving: Sequence[int], path: Path) -> None:
    """Networks on the left, tasks on the right: a thick line serves, a thin grey one only trains."""
    from matplotlib.figure import Figure  # late: half a second

    K, M = len(tasks), len(groups)
    figure = Figure(figsize=(5.2, 0.45 * max(K, M) + 0.4), layout="constrained")
    axes = figure.subplots()
    places = [(K - 1) * (number + 0.5) / M for number in range(M)]
    for number, members in enumerate(groups):
        for task in members:
            serves = serving[task] == number
            colour, width = (f"C{number}", 3.0) if serves else ("#B0B0B0", 1.0)
            axes.plot([0, 1], [places[number], task], color=colour, linewidth=width, zorder=1 + serves)
        axes.text(-0.03, places[number], f"network {number + 1}", ha="right", va="center", fontsize=9)
    for task, name in enumerate(tasks):
        axes.text(1.03, task, name, ha="left", va="center", fontsize=9)
    axes.set_xlim(-0.5, 1.7)
    axes.set_ylim(K - 0.5, -0.5)
    axes.axis("off")
    save_figure(figure, path)


def save_figure(figure: "Figure", path: Path, dpi: int = 160) -> None:
    """The suffix of `path` chooses the format. Raises BenchError when the picture cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi)
    except (OSError, ValueError) as error:
        raise BenchError(f"The picture cannot be written to {path}: {error}; choose another path.") from error
