"""Samples of a packed dataset with all their targets, as one picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mtl_bench.data.fields import Field
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.pictures import Dense, Kind
from mtl_bench.pictures.colours import RGB, look, photo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN, ROW = 20 / 13, 1.24  # inches: rooms, an image and twelve targets, is 20 wide
LOOKS: Mapping[str, Kind] = {"depth": "depth", "normal": "normal"}  # kind of a field → how it is painted


def draw_contact_sheet(packed: Packed, samples: Mapping[str, int], path: Path) -> None:
    """One row per sample: the image, then every dense target; `samples` is how many of each split, its first ones.

    One scale per target holds for all rows. The suffix of `path` chooses the format.

    Raises BenchError for an unknown split and when the picture cannot be written.
    """
    from matplotlib.figure import Figure  # late: half a second; a bare Figure needs no display and no pyplot state

    fields = packed.manifest.fields
    targets = [name for name in packed.manifest.targets if _is_dense(fields[name])]
    splits = {name: Split(packed, [name], targets, "cpu") for name in samples}
    batches = [split.batch(torch.arange(min(samples[name], split.size))) for name, split in splits.items()]
    images = (255 * torch.cat([batch.image for batch in batches])).round().byte().numpy()
    size = len(images), len(targets) + 1
    figure = Figure(figsize=(COLUMN * size[1], ROW * size[0]), layout="constrained")
    axes = figure.subplots(*size, squeeze=False)
    for row, image in enumerate(images):
        _show(axes[row, 0], photo(image), "image" if row == 0 else "")
    for column, name in enumerate(targets, start=1):
        values = torch.cat([batch.targets[name] for batch in batches]).numpy()
        painted = look(Dense(_kind(fields[name]), fields[name].unit, values, values))
        for row in range(len(images)):
            _show(axes[row, column], painted.target(row), name if row == 0 else "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
    except (OSError, ValueError) as error:
        raise BenchError(f"The picture cannot be written to {path}: {error}; choose another path.") from error


def _is_dense(field: Field) -> bool:
    return len(field.shape) == (2 if field.encoding.categorical else 3)


def _kind(field: Field) -> Kind:
    return "classes" if field.encoding.categorical else LOOKS.get(field.kind, "map")


def _show(axes: "Axes", picture: RGB, title: str) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.axis("off")
