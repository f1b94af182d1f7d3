"""Where every method goes on the two-objective problem: `python scripts/two_objectives.py` writes results/toy.

Paths are kept in runs/toy, where a second call finds them; delete that folder after a change to a method.
"""

import argparse
import csv
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from omegaconf import OmegaConf
from PIL import Image

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.methods import Method
from mtl_bench.results.published.printed_names import printed_names
from mtl_bench.step.two_objectives import (
    LOWEST,
    MINIMUM,
    PAPER,
    STARTS,
    front,
    is_minimum,
    objectives,
    on_front,
    path,
)
from mtl_bench.training.build import build

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
Visited = Float[np.ndarray, "visited 2"]
OPTIMIZERS: Mapping[str, type[torch.optim.Optimizer]] = {"GD": torch.optim.SGD, "Adam": torch.optim.Adam}
ITERATIONS = {10.0: 50, 1.0: 100, 0.1: 200}  # by learning rate
SETTINGS = [(optimizer, lr) for optimizer in OPTIMIZERS for lr in ITERATIONS]
# What a method is told because this problem has neither layers nor features nor classes, or no epochs.
TOLD: Mapping[str, Mapping[str, Any]] = {
    "graddrop": {"at": "shared"},
    "gradnorm": {"at": "shared"},
    "stch": {"form": "loss"},
    "uw": {"form": "half"},
    "dtp": {"measure": "relative"},
}
RAISED = (
    "db_mtl",
    "dtp",
    "famo",
    "gls",
    "go4align",
    "gradnorm",
    "imtl",
    "imtl_l",
    "si",
    "uw",
)  # read the sizes of losses
LEFT_OUT = {
    "cso": "needs norms per task",
    "fixed": "with equal weights `ls`",
    "priority": "with equal priorities `ls`",
    "dwa": "within an epoch `ls`",
    "tag": "measures, and steps as `ls`",
    "layer_conflicts": "measures, and steps as `ls`",
    "torchjd": "is TorchJD's, by any name",
    "ega": "within its first epochs `aligned_mtl`",
}
# Elich et al., "Examining Common Paradigms in Multi-Task Learning", Table 1: the most iterations of three starts
PRINTED = ROOT / "results/published/toy_iterations.csv"
LONGEST = 100_000  # in that table
STILL = 30, 0.001, 0.2  # a path ends where its last 30 places lie within this; on the front, within this
FAR = 1e3  # beyond, a path has left for good
SIDE = 11.0  # of the plane that is drawn, from its middle
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")  # Okabe–Ito, one per start
BLOCKS, PANEL, NAME, HEAD = 2, 0.76, 1.75, 0.5  # of methods beside each other; inches; panels; inches
PAGE = """# Two objectives

Written by `python scripts/two_objectives.py`, like the picture. The problem is that of CAGrad (Liu et al., NeurIPS
2021), in two coordinates: one valley per loss above, a common basin below. The starts are those of Nash-MTL and FAMO.

![Paths of all methods from five starts](paths.png)

Small dots: where paths begin; large ones: where they end. Grey line: the Pareto front; shades: the sum of both
losses, dark where it is low; star: its minimum. A path is cut after 50, 100 and 200 iterations at lr 10, 1 and 0.1; it
ends where its last 30 places lie within 0.001, or on the front within 0.2. At lr 0.1 one that ends elsewhere is slow,
or stuck.

**Read it across.** Learning rate and optimizer alone change who gets there: the last row of the table counts the
methods that reach the front from all five starts. A ranking read off one column is a ranking of that column. With two
tasks some are one method: `pcgrad` and `upgrad` up to rounding, `uw` and `imtl_l` up to a factor, which Adam takes out,
and `stgu`, `stgu_causal` and `random_groups` for the 100 batches on which the first two visit single tasks. `adatask`
keeps Adam's moments under either optimizer.

Random methods are drawn with seed 0. {told}. {raised} read the sizes of losses, which are negative here: they get both
raised by 20, which changes no gradient. There are no samples: the three parts of `sdmgrad` and what `learned_priority`
holds out are the batch itself. Not drawn: {left_out}.

## Who reaches the front

From how many of the five starts a path ends on the Pareto front (no place lowers both losses by more than 0.1). In
brackets, where it is all five: the iteration from which on the last of them stays there.

{reached}

## Beside printed iterations

The most iterations of Adam to the minimum of the sum (within 0.1; which gap a table uses is not printed), from three
starts, of Elich et al., "Examining Common Paradigms in Multi-Task Learning", Table 1
(`results/published/toy_iterations.csv`). –: not from all three; {longest:,} iterations were tried, and twice those
printed where some are.

{printed}

`tests/step/test_two_objectives.py` holds those below 1,000. The cells of gradient descent cannot be compared: Adam
divides the length of a direction out, and under gradient descent it decides (sum or mean of the tasks, CAGrad's 1 + c
or 1 + c²), which is not printed. The sum at lr 1 is there after 291 iterations from all three starts, for which a dash
is printed.
"""


@dataclass
class Ended:
    """Whether a path stands still, or has left for good."""

    last: deque[Visited] = field(default_factory=lambda: deque(maxlen=STILL[0]))

    def __call__(self, place: Visited) -> bool:
        self.last.append(place)
        if not np.abs(place).max() < FAR:
            return True
        moved = float(np.ptp(np.stack(self.last), axis=0).max()) if len(self.last) == STILL[0] else np.inf
        return moved < STILL[1] or (moved < STILL[2] and bool(on_front(np.stack(self.last)).all()))


class Decided:
    """Whether a path is at the minimum, or cannot get there: it has left for good or takes steps of 0."""

    last: Visited | None = None

    def __call__(self, place: Visited) -> bool:
        still = self.last is not None and bool((place == self.last).all())
        self.last = place
        return is_minimum(place) or still or not np.abs(place).max() < FAR


def made(name: str) -> Method:
    node: Any = OmegaConf.to_container(OmegaConf.load(configs_folder() / "method" / f"{name}.yaml"))
    method: Method = build({**node, **TOLD.get(name, {})}, "method", Method)
    return method


def names() -> list[str]:
    known = sorted(file.stem for file in (configs_folder() / "method").glob("*.yaml"))
    return [name for name in known if name not in LEFT_OUT]


def paths(name: str, optimizer: str, lr: float, kept: Path) -> list[Visited]:
    """From the five starts."""
    file = kept / f"{name}-{optimizer}-{lr:g}.npz"
    if not file.is_file():
        raised = -LOWEST if name in RAISED else 0.0
        made_now = [
            path(made(name), start, OPTIMIZERS[optimizer], lr, ITERATIONS[lr], Ended(), raised) for start in STARTS
        ]
        np.savez(file, *made_now)
    with np.load(file) as found:
        return [found[key] for key in found.files]


@dataclass(frozen=True)
class Cell:
    """Of the printed table; `iterations` None: not all starts within `LONGEST`."""

    name: str
    lr: float
    iterations: int | None


def printed_cells() -> list[Cell]:
    """Those of Adam."""
    names = printed_names(PRINTED.parent)
    with PRINTED.open() as lines:
        cells = [(*row["backbone"].split(", lr "), row) for row in csv.DictReader(lines)]
    return [
        Cell(str(names.method("toy_iterations", row["method"])), float(lr), int(row["value"] or 0) or None)
        for optimizer, lr, row in cells
        if optimizer == "Adam"
    ]


def to_the_minimum(cell: Cell, kept: Path) -> int | None:
    """The most iterations to the minimum of the sum from the starts of the printed table; None: not from all."""
    file = kept / f"{cell.name}-Adam-{cell.lr:g}-minimum.npy"
    if not file.is_file():
        most, found = 2 * cell.iterations if cell.iterations else LONGEST, []
        for start in PAPER:
            visited = path(made(cell.name), start, torch.optim.Adam, cell.lr, most, Decided())
            found.append(len(visited) - 1 if is_minimum(visited[-1]) else 0)
            if not found[-1]:
                break
        np.save(file, max(found) if all(found) else 0)
    return int(np.load(file)) or None


def cell(found: list[Visited]) -> str:
    on = [on_front(visited) for visited in found]
    count = sum(bool(one[-1]) for one in on)
    if count < len(on):
        return str(count)
    arrived = max(0 if one.all() else int(np.flatnonzero(~one)[-1]) + 1 for one in on)
    return f"{count} ({arrived})"


def page(kept: Path) -> str:
    told = [f"`{name}` with `{key}={value}`" for name, node in TOLD.items() for key, value in node.items()]
    heads = [f"{optimizer} {lr:g}" for optimizer, lr in SETTINGS]
    reached = [[f"`{name}`", *(cell(paths(name, *setting, kept)) for setting in SETTINGS)] for name in names()]
    whole = [sum("(" in row[column] for row in reached) for column in range(1, len(SETTINGS) + 1)]
    reached.append(["all five starts, methods", *map(str, whole)])
    printed = [
        [f"`{cell.name}`", f"{cell.lr:g}", _count(to_the_minimum(cell, kept)), _count(cell.iterations)]
        for cell in printed_cells()
    ]
    return PAGE.format(
        told=", ".join(told),
        raised=", ".join(f"`{name}`" for name in RAISED),
        left_out="; ".join(f"`{name}` ({why})" for name, why in LEFT_OUT.items()),
        reached=_table(["method", *heads], reached),
        longest=LONGEST,
        printed=_table(["method", "lr", "iterations", "printed"], printed),
    )


def _count(iterations: int | None) -> str:
    return "–" if iterations is None else str(iterations)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(texts)} |" for texts in (heads, ["---", *["---:"] * (len(heads) - 1)], *rows))


def draw(kept: Path, file: Path) -> None:
    """A row of panels per method, in blocks beside each other."""
    from matplotlib.figure import Figure  # late: half a second

    shown, columns = names(), len(SETTINGS)
    rows = -(-len(shown) // BLOCKS)
    widths = [NAME, *[1.0] * columns] * BLOCKS
    figure = Figure(figsize=(PANEL * sum(widths), PANEL * rows + HEAD))
    top = 1 - HEAD / (PANEL * rows + HEAD)
    grid = figure.add_gridspec(
        rows, len(widths), width_ratios=widths, wspace=0.06, hspace=0.06, left=0, right=0.995, bottom=0.005, top=top
    )
    for number, name in enumerate(shown):
        block, row = divmod(number, rows)
        for column, (optimizer, lr) in enumerate(SETTINGS):
            axes = figure.add_subplot(grid[row, block * (1 + columns) + 1 + column])
            _panel(axes, paths(name, optimizer, lr, kept))
            if row == 0:
                axes.set_title(f"{optimizer}\nlr {lr:g}", fontsize=9)
            if column == 0:
                axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    written = BytesIO()
    figure.savefig(written, dpi=110)
    picture = Image.open(written).convert("RGB")
    picture.quantize(palette=_palette(), dither=Image.Dither.NONE).save(file, optimize=True)  # a third of the bytes


def _panel(axes: "Axes", found: list[Visited]) -> None:
    frame = (-SIDE, SIDE, -SIDE, SIDE)
    axes.imshow(_relief(), cmap="gray", vmin=0, vmax=1, origin="lower", extent=frame, interpolation="nearest")
    axes.plot(*front()[0].T, color="#888888", linewidth=2.5, solid_capstyle="round")
    for visited, colour in zip(found, COLOURS, strict=True):
        inside = np.clip(visited, -2 * SIDE, 2 * SIDE)  # a path that leaves is drawn to the edge
        axes.plot(*inside.T, color=colour, linewidth=0.8)
        axes.plot(*inside[-1], "o", color=colour, markersize=2.6)
    axes.plot(*np.array(STARTS).T, "k.", markersize=2.2)
    axes.plot(*MINIMUM[0], "*", color="black", markersize=3.5)
    axes.set(xlim=(-SIDE, SIDE), ylim=(-SIDE, SIDE), xticks=[], yticks=[])
    axes.spines[:].set(linewidth=0.4, color="#999999")


def _palette() -> Image.Image:
    """Greys, and each start's colour fading into a light one: what a panel is drawn in."""
    greys = np.linspace(0, 255, 40).repeat(3).reshape(-1, 3)
    tones = np.array([list(bytes.fromhex(colour[1:])) for colour in COLOURS], dtype=float)
    faded = np.concatenate([tones + (240 - tones) * share for share in np.linspace(0, 0.9, 10)])
    held = Image.new("P", (1, 1))
    held.putpalette(np.concatenate([greys, faded]).round().astype(int).ravel().tolist())
    return held


@cache
def _relief() -> Float[np.ndarray, "y x"]:
    """The sum of both losses in a few light greys, lighter where it is high."""
    side = np.linspace(-SIDE, SIDE, 160)
    first, second = objectives(torch.from_numpy(np.stack(np.meshgrid(side, side), axis=-1)))
    total = (first + second).numpy()
    return 0.86 + 0.14 * np.digitize(total, np.quantile(total, np.linspace(0.15, 0.85, 5))) / 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=Path, default=ROOT / "runs/toy", help="where paths are kept")
    parser.add_argument("--into", type=Path, default=ROOT / "results/toy", help="folder of the picture and its page")
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    for folder in (parsed.paths, parsed.into):
        folder.mkdir(parents=True, exist_ok=True)
    draw(parsed.paths, parsed.into / "paths.png")
    (parsed.into / "README.md").write_text(page(parsed.paths))


if __name__ == "__main__":
    main()
