"""How dense targets and predictions look: one scale and one colour map per task, the same for both."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mtl_bench.pictures.stored import Dense, Pictures

RGB = UInt8[np.ndarray, "height width 3"]

# Tableau's twenty of 2016 without their two greys, which mean "no label" here: strong tones first, then light ones.
STRONG = "4E79A7 F28E2B 59A14F E15759 B07AA1 9D7660 D37295 B6992D 499894"
LIGHT = "A0CBE8 FFBE7D 8CD17D FF9D9A D4A6C8 D7B5A6 FABFD2 F1CE63 86BCB6"
TONES = np.array([list(bytes.fromhex(tone)) for tone in f"{STRONG} {LIGHT}".split()], np.float32)
PALETTE = np.concatenate([TONES, 0.65 * TONES, 0.4 * TONES]).astype(np.uint8)  # more classes: the same again, darker
STRIPES = np.array([[188] * 3, [226] * 3], np.uint8)  # of the hatching where nothing is known
TAIL = 1.0  # percent of the target's values at either end that may leave the scale
VIEW = np.array([1, -1, -1], np.float32)[:, None, None]  # x right, y up, z to the viewer: a wall ahead is light blue
GAP, SPACE = 2, 6  # white pixels of a strip: within a task, between tasks


@dataclass(frozen=True)
class Look:
    """`colours` is `palette`, `rgb` or the name of one of matplotlib's maps, which spans low to high."""

    dense: Dense
    colours: str
    low: float = 0.0
    high: float = 1.0

    @property
    def has_scale(self) -> bool:
        """Whether a colour stands for a number with a meaning of its own: metres, curvature."""
        return self.dense.kind == "depth" or self.colours == "RdBu_r"

    def target(self, sample: int) -> RGB:
        return self._paint(self.dense.target[sample])

    def prediction(self, sample: int) -> RGB:
        return self._paint(self.dense.prediction[sample])

    def _paint(self, values: np.ndarray) -> RGB:
        if self.colours == "palette":
            return _hatch(PALETTE[values % len(PALETTE)], values < 0)
        planes = values.astype(np.float32)
        unknown = np.isnan(planes.sum(axis=0))
        if self.dense.kind == "normal":
            planes = VIEW * planes / np.maximum(np.linalg.norm(planes, axis=0), 1e-6)  # predictions have any length
        share = np.nan_to_num(np.clip((planes - self.low) / (self.high - self.low), 0, 1))
        if self.colours == "rgb":
            return _hatch((255 * share).round().astype(np.uint8).transpose(1, 2, 0), unknown)
        return _hatch(_mapped(self.colours, share.mean(axis=0)), unknown)


def look(dense: Dense) -> Look:
    """Classes: a palette; depth: viridis; three channels: RGB; two (curvature): their mean around zero; one: inferno
    where most of it is dark (edges), else grey (shading).

    The scale follows the targets of all samples, so a prediction in the wrong range shows.
    """
    if dense.kind == "classes":
        return Look(dense, "palette")
    if dense.kind == "normal":
        return Look(dense, "rgb", -1.0, 1.0)
    channels = dense.target.shape[1]
    if channels == 2:
        _, high = _range(np.abs(dense.target))
        return Look(dense, "RdBu_r", -high, high)
    low, high = _range(dense.target)
    sparse = np.mean(dense.target > low + (high - low) / 4) < 0.5
    colours = "viridis" if dense.kind == "depth" else "rgb" if channels == 3 else "inferno" if sparse else "gray"
    return Look(dense, colours, low, high)


def photo(image: UInt8[np.ndarray, "channels height width"]) -> RGB:
    """Images of other than three channels are shown as the grey mean of them."""
    planes = image if len(image) == 3 else np.broadcast_to(image.mean(axis=0).astype(np.uint8), (3, *image.shape[1:]))
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def strips(pictures: Pictures) -> list[RGB]:
    """Per sample one picture: the input, then target and prediction of every task, side by side."""
    looks = [look(dense) for dense in pictures.tasks.values()]
    drawn = []
    for n, image in enumerate(pictures.image):
        first = photo(image)
        cells = [first]
        for one in looks:
            target, prediction = (_fit(cell, first) for cell in (one.target(n), one.prediction(n)))
            cells += [_blank(first, SPACE), target, _blank(first, GAP), prediction]
        drawn.append(np.concatenate(cells, axis=1))
    return drawn


def _range(target: np.ndarray) -> tuple[float, float]:
    known = target[np.isfinite(target)].astype(np.float32)
    low, high = map(float, np.percentile(known, [TAIL, 100 - TAIL])) if known.size else (0.0, 1.0)
    return low, high if high > low else low + 1.0


def _mapped(name: str, share: Float[np.ndarray, "height width"]) -> RGB:
    from matplotlib import colormaps  # late: a training needs none unless a logger shows pictures

    return colormaps[name](share, bytes=True)[..., :3]


def _hatch(colours: RGB, unknown: Bool[np.ndarray, "height width"]) -> RGB:
    """Stripes, so that no map can be mistaken for them, whatever its greys."""
    height, width = unknown.shape
    period = max(2, width // 24)
    rows, columns = np.indices((height, width))
    return np.where(unknown[..., None], STRIPES[(rows + columns) // period % 2], colours)


def _fit(cell: RGB, like: RGB) -> RGB:
    """Nearest pixels, for targets of another size than the input."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(like.shape[:2], cell.shape[:2], strict=True))
    return cell[rows[:, None], columns]


def _blank(like: RGB, width: int) -> RGB:
    return np.full((len(like), width, 3), 255, np.uint8)
