"""What runs predict, as a picture: one row per test sample, the input and then target and prediction of every task."""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, sqrt
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from mtl_bench.errors import BenchError
from mtl_bench.pictures import Pictures
from mtl_bench.pictures.colours import RGB, Look, look, photo
from mtl_bench.records import Record
from mtl_bench.results.run_pictures import RunPictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".pdf", ".png", ".svg")
BAND = 4  # tasks side by side; more go below
# Inches: side of a cell, within and between tasks; title, head of a band, its colour bars, their unit, margin, foot.
CELL, GAP, SPACE, TITLE, HEAD, BAR, UNIT, MARGIN, FOOT = 1.1, 0.03, 0.13, 0.2, 0.5, 0.38, 0.2, 0.22, 0.16
GREY = "#666666"


def check_suffix(path: Path) -> None:
    """Raises BenchError for a format that nobody asked for."""
    if path.suffix.lower() not in SUFFIXES:
        raise BenchError(f"The picture cannot be written to {path}: its name must end in {', '.join(SUFFIXES)}.")


def draw_predictions(run: RunPictures, path: Path) -> None:
    """Saves the figure; the suffix of `path` chooses the format. Raises BenchError when it cannot be written."""
    check_suffix(path)
    figure = _Page(Pictures.read(run.path), run).draw()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=250)
    except OSError as error:
        raise BenchError(f"The picture cannot be written to {path}: {error}; choose another path.") from error


class _Page:
    """Places every cell in inches from the upper left corner: matplotlib's own grids leave uneven gaps."""

    def __init__(self, pictures: Pictures, run: RunPictures) -> None:
        self.pictures, self.run = pictures, run
        self.looks = {name: look(dense) for name, dense in pictures.tasks.items()}
        self.bands = list(_bands(list(self.looks)))
        ratio = pictures.image.shape[2] / pictures.image.shape[3]
        self.cell = CELL / sqrt(ratio), CELL * sqrt(ratio)
        self.pair = 2 * self.cell[0] + GAP
        self.width = 2 * MARGIN + self.cell[0] + len(self.bands[0]) * (self.pair + SPACE)
        self.title = fill(run.name, int(11 * self.width))  # letters of ten points per inch, and of six below
        self.foot = fill(_foot(self.looks.values()), int(21 * self.width))
        self.top = TITLE + 0.16 * (1 + self.title.count("\n"))
        self.height = self.top + sum(map(self._band_height, self.bands)) + FOOT + 0.1 * (1 + self.foot.count("\n"))

    def draw(self) -> "Figure":
        from matplotlib.figure import Figure  # late: half a second; a bare Figure needs no display and no pyplot state

        self.figure = Figure(figsize=(self.width, self.height), facecolor="white")
        self._write(MARGIN, self.top - 0.14, self.title, fontsize=10, fontweight="bold")
        top = self.top
        for band in self.bands:
            self._draw_band(band, top)
            top += self._band_height(band)
        self._write(MARGIN, self.height - 0.09, self.foot, fontsize=6, color=GREY)
        return self.figure

    def _band_height(self, band: Sequence[str]) -> float:
        bar = BAR if any(self.looks[name].has_scale for name in band) else SPACE
        return HEAD + len(self.pictures) * (self.cell[1] + GAP) - GAP + bar

    def _draw_band(self, band: Sequence[str], top: float) -> None:
        width, height = self.cell
        self._write(MARGIN + width / 2, top + 0.27, "input", fontsize=7, ha="center")
        for n, image in enumerate(self.pictures.image):
            y = top + HEAD + n * (height + GAP)
            place = {"rotation": 90, "ha": "right", "va": "center"}
            self._write(MARGIN - 0.03, y + height / 2, f"test {n}", fontsize=6, color=GREY, **place)
            self._show(photo(image), MARGIN, y)
            for k, name in enumerate(band):
                x = self._left(k)
                self._show(self.looks[name].target(n), x, y)
                self._show(self.looks[name].prediction(n), x + width + GAP, y)
        for k, name in enumerate(band):
            self._head(name, self._left(k), top)
            if self.looks[name].has_scale:
                self._bar(self.looks[name], self._left(k), top + HEAD + len(self.pictures) * (height + GAP) + 0.03)

    def _left(self, k: int) -> float:
        return MARGIN + self.cell[0] + SPACE + k * (self.pair + SPACE)

    def _head(self, task: str, x: float, top: float) -> None:
        width = self.cell[0]
        self._write(x + self.pair / 2, top + 0.11, _words(task), fontsize=8, fontweight="bold", ha="center")
        self._rule(x, top + 0.155)
        self._write(x + width / 2, top + 0.27, "target", fontsize=7, ha="center")
        middle = x + self.pair - width / 2
        self._write(middle, top + 0.27, "prediction", fontsize=7, ha="center")
        self._write(middle, top + 0.4, _metric(self.run.record, task), fontsize=6, color=GREY, ha="center")

    def _rule(self, x: float, y: float) -> None:
        from matplotlib.lines import Line2D

        ends = [x / self.width, (x + self.pair) / self.width]
        self.figure.add_artist(Line2D(ends, [1 - y / self.height] * 2, color="#BBBBBB", linewidth=0.6))

    def _show(self, picture: RGB, x: float, y: float) -> None:
        axes = self.figure.add_axes(self._box(x, y, *self.cell))
        axes.imshow(picture, aspect="auto")
        axes.set_axis_off()

    def _bar(self, shown: Look, x: float, y: float) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
        from matplotlib.ticker import MaxNLocator

        axes = self.figure.add_axes(self._box(x, y, self.pair - UNIT, 0.06))
        scale = ScalarMappable(Normalize(shown.low, shown.high), shown.colours)
        bar = self.figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=MaxNLocator(5))
        bar.outline.set_visible(False)
        axes.tick_params(labelsize=6, length=1.5, width=0.5, pad=1.5)
        self._write(x + self.pair, y + 0.065, shown.dense.unit, fontsize=6, color=GREY, ha="right")

    def _box(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """As matplotlib wants it: fractions, from the lower left corner."""
        return x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        self.figure.text(x / self.width, 1 - y / self.height, text, **style)


def _bands(tasks: Sequence[str]) -> Iterator[Sequence[str]]:
    """At most BAND tasks each, as evenly as it goes."""
    size = ceil(len(tasks) / ceil(len(tasks) / BAND))
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _metric(record: Record, task: str) -> str:
    """The first metric that counts in Δm, of an auxiliary task its first, over the whole test split."""
    name = next(iter(record["delta_m"]["terms"].get(task, record["metrics"][task])))
    info = record["metrics"][task][name]
    unit = f" {info['unit']}" if info["unit"] else ""
    return f"{_words(name)} {record['test'][task][name]:.4g}{unit} {'↑' if info['higher_is_better'] else '↓'}"


def _foot(looks: Iterable[Look]) -> str:
    scaled = " A scale spans 98 % of the targets' values." if any(one.has_scale for one in looks) else ""
    return f"First samples of the test split; values over all of it. Hatched: no target there.{scaled}"
