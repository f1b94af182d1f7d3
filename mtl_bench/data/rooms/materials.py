"""Colours and patterns of surfaces, drawn without a look at what the surface belongs to."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtl_bench.data.rooms.furniture import Draw

FAMILIAR = ("plain", "stripes", "checks", "dots", "clouds", "tiles")
UNSEEN = ("waves", "zigzag", "crosses")  # only in the shifted test split
PATTERNS = (*FAMILIAR, *UNSEEN)
COLOURS = 5  # of a room's palette
PERIOD = np.array(
    [1.0, 0.4, 0.6, 0.5, 0.8, 0.5, 0.5, 0.5, 0.5]
)  # metres: as bricks and tiles do, a pattern tells scale
COLUMNS = 11  # of a material: two colours, pattern, period (m), cosine and sine of its direction, stream
SMOOTH = 0.12  # share of a period over which a pattern changes from one colour to the other


def draw_materials(draw: Draw, count: int, shifted: bool) -> Float[np.ndarray, "count columns"]:
    """Any colour of the room's palette with any pattern: neighbours often share a colour, and outlines then vanish."""
    names = UNSEEN if shifted else FAMILIAR
    odds = np.full(len(names), 1 / len(names)) if shifted else np.array([0.08, 0.22, 0.22, 0.2, 0.08, 0.2])
    pattern = np.array([PATTERNS.index(name) for name in draw.choice(names, count, p=odds)])
    palette = _rgb(draw.random_sample(COLOURS), draw.beta(1.3, 1.8, COLOURS), draw.uniform(0.25, 0.95, COLOURS))
    first, other = (palette[draw.randint(COLOURS, size=count)] for _ in range(2))
    mixed = draw.uniform(0.6, 1.0, count)[:, None]
    second = mixed * other + (1 - mixed) * first
    angle = draw.choice([0, np.pi / 2, np.pi / 4], count) + draw.normal(0, 0.05, count)
    period = PERIOD[pattern] * np.exp(draw.normal(0, 0.12, count))
    rest = [pattern, period, np.cos(angle), np.sin(angle), draw.randint(1 << 16, size=count)]
    return np.column_stack([first, second, *rest])


def _rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> Float[np.ndarray, "count 3"]:
    """HSV to RGB."""
    phase = (hue[:, None] * 6 + np.array([5.0, 3.0, 1.0])) % 6
    return value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(phase, 4 - phase), 0, 1))


def stack_materials(tables: Sequence[np.ndarray], device: torch.device) -> Float[Tensor, "scenes skins columns"]:
    """Tables of several scenes, padded to the longest."""
    skins = max(len(table) for table in tables)
    padded = [np.pad(table, ((0, skins - len(table)), (0, 0))) for table in tables]
    return torch.tensor(np.stack(padded), dtype=torch.float32, device=device)


def albedo(
    materials: Float[Tensor, "scenes skins columns"],
    skin: Int64[Tensor, "scenes rays"],
    surface: Float[Tensor, "scenes rays 2"],
    footprint: Float[Tensor, "scenes rays"],
) -> Float[Tensor, "scenes rays 3"]:
    """Colour at surface coordinates. A pattern finer than its pixel's `footprint` (m) fades to its mean."""
    chosen = materials.gather(1, skin[..., None].expand(-1, -1, COLUMNS))
    first, second = chosen[..., :3], chosen[..., 3:6]
    kind, period, cos, sin, stream = chosen[..., 6:].unbind(-1)
    u, v = surface.unbind(-1)
    u, v = (cos * u + sin * v) / period, (cos * v - sin * u) / period
    mix = torch.zeros_like(u)
    for index, name in enumerate(PATTERNS[1:], start=1):
        mix = torch.where(kind == index, _PATTERN[name](u, v, stream), mix)
    sharp = (1.5 - 2 * footprint / period).clamp(0, 1)
    mix = torch.where(kind > 0, 0.5 + sharp * (mix - 0.5), mix)
    return first + mix[..., None] * (second - first)


def _wave(x: Tensor) -> Tensor:
    """0 and 1 in turn, each for half a unit."""
    return _step((x - x.floor() - 0.5).abs() - 0.25)


def _step(x: Tensor) -> Tensor:
    return (x / SMOOTH + 0.5).clamp(0, 1)


def _checks(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    a, b = _wave(u), _wave(v)
    return a + b - 2 * a * b


def _dots(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    return _step(0.3 - torch.hypot(u - u.floor() - 0.5, v - v.floor() - 0.5))


def _tiles(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    v = v * 2  # twice as wide as high, every other row moved by half
    u = u + 0.5 * (v.floor() % 2)
    across, along = (v - v.floor() - 0.5).abs(), (u - u.floor() - 0.5).abs()
    return _step(torch.maximum(along, 0.5 * across + 0.25) - 0.44)


def _clouds(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    coarse, fine = _noise(u * 2, v * 2, stream), _noise(u * 5, v * 5, stream + 7)
    return (0.7 * coarse + 0.3 * fine - 0.2).clamp(0, 0.6) / 0.6


def _zigzag(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    return _wave(u + (v - v.floor() - 0.5).abs())


def _crosses(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    a, b = (u - u.floor() - 0.5).abs(), (v - v.floor() - 0.5).abs()
    return _step(0.1 - torch.minimum(a, b)) * _step(0.35 - torch.maximum(a, b))


def _noise(u: Tensor, v: Tensor, stream: Tensor) -> Tensor:
    """Value noise in [0, 1]: hashed lattice points, smoothly interpolated."""
    a, b = u.floor(), v.floor()
    s, t = u - a, v - b
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    i, j, k = a.long(), b.long(), stream.long()
    low = _hash(i, j, k) * (1 - s) + _hash(i + 1, j, k) * s
    high = _hash(i, j + 1, k) * (1 - s) + _hash(i + 1, j + 1, k) * s
    return low * (1 - t) + high * t


def _hash(i: Int64[Tensor, "..."], j: Int64[Tensor, "..."], k: Int64[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Whole numbers in, the same fraction out on every machine."""
    mixed = (i * 73856093 ^ j * 19349663 ^ k * 83492791) & 0x7FFFFFFF
    mixed = (mixed ^ (mixed >> 13)) * 1274126177 & 0x7FFFFFFF
    return ((mixed ^ (mixed >> 16)) & 0xFFFF) / 65536.0


_PATTERN = {
    "stripes": lambda u, v, stream: _wave(u),
    "checks": _checks,
    "dots": _dots,
    "clouds": _clouds,
    "tiles": _tiles,
    "waves": lambda u, v, stream: _wave(u + 0.8 * _noise(u, v, stream)),
    "zigzag": _zigzag,
    "crosses": _crosses,
}
