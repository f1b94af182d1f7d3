"""Samples of a packed dataset with all their targets, as one picture."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int64
from torch import Tensor

from mtl_bench.data.fields import Field
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.pictures import Dense, Kind
from mtl_bench.pictures.colours import RGB, look, photo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN, ROW = 20 / 13, 1.24  # inches: rooms, an image and twelve targets, is 20 wide
FEW = 6  # labels of a sample that are written with their values; of more, all yes or no, those that say yes
LINE, LINES = 32, 11  # characters, and lines of them that fit beside an image
LOOKS: Mapping[str, Kind] = {"depth": "depth", "normal": "normal"}  # kind of a field → how it is painted


def draw_contact_sheet(packed: Packed, samples: Mapping[str, int], path: Path) -> None:
    """One row per sample: the image, its labels in words, every dense target; `samples` is how many of each split,
    spread evenly over it, since neighbours in official files often show the same.

    One scale per target holds for all rows. The suffix of `path` chooses the format.

    Raises BenchError for an unknown split and when the picture cannot be written.
    """
    from matplotlib.figure import Figure  # late: half a second; a bare Figure needs no display and no pyplot state

    fields = packed.manifest.fields
    targets = [name for name in packed.manifest.targets if _is_dense(fields[name])]
    words = [name for name in packed.manifest.targets if prod(fields[name].shape) == 1 and name not in targets]
    splits = {name: Split(packed, [name], [*words, *targets], "cpu") for name in samples}
    batches = [split.batch(_spread(samples[name], split.size)) for name, split in splits.items()]
    images = (255 * torch.cat([batch.image for batch in batches])).round().clamp(0, 255).byte().numpy()
    values = {name: torch.cat([batch.targets[name] for batch in batches]).numpy() for name in [*words, *targets]}
    first = 1 + bool(words)
    size = len(images), first + len(targets)
    figure = Figure(figsize=(COLUMN * size[1], ROW * size[0]), layout="constrained")
    axes = figure.subplots(*size, squeeze=False)
    for row, image in enumerate(images):
        _show(axes[row, 0], photo(image), "image" if row == 0 else "")
        if words:
            _write(axes[row, 1], in_words({name: values[name][row].item() for name in words}))
    for column, name in enumerate(targets, start=first):
        painted = look(Dense(_kind(fields[name]), fields[name].unit, values[name], values[name]))
        for row in range(len(images)):
            _show(axes[row, column], painted.target(row), name if row == 0 else "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
    except (OSError, ValueError) as error:
        raise BenchError(f"The picture cannot be written to {path}: {error}; choose another path.") from error


def in_words(labels: Mapping[str, float]) -> str:
    """What is known of one sample: `left 3, right 7`, or the names of its attributes."""
    known = {name: value for name, value in labels.items() if value >= 0 or isinstance(value, float)}
    known = {name: value for name, value in known.items() if value == value}  # not NaN
    if len(known) > FEW and set(known.values()) <= {0, 1}:
        return ", ".join(name for name, value in known.items() if value) or "none of them"
    return ", ".join(f"{name} {value:.5g}" for name, value in known.items()) or "no label"


def _spread(count: int, size: int) -> Int64[Tensor, "rows"]:
    count = min(count, size)
    return torch.arange(count) * size // max(1, count)


def _is_dense(field: Field) -> bool:
    return len(field.shape) == (2 if field.encoding.categorical else 3)


def _kind(field: Field) -> Kind:
    return "classes" if field.encoding.categorical else LOOKS.get(field.kind, "map")


def _write(axes: "Axes", text: str) -> None:
    lines = wrap(text, LINE)
    shown = lines if len(lines) <= LINES else [*lines[: LINES - 1], "…"]
    axes.text(0, 1, "\n".join(shown), fontsize=6, verticalalignment="top", transform=axes.transAxes)
    axes.axis("off")


def _show(axes: "Axes", picture: RGB, title: str) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.axis("off")
