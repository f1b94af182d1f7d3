"""Pieces of furniture as solids in their own frame: x along the piece, y away from the wall behind it, z up; metres."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CLASSES = (
    "bed",
    "books",
    "ceiling",
    "chair",
    "floor",
    "furniture",
    "objects",
    "picture",
    "sofa",
    "table",
    "tv",
    "wall",
    "window",
)  # fmt: skip  (NYUv2's 13 classes in their order)
LABEL = {name: index for index, name in enumerate(CLASSES)}
VOID = -1
SHAPES = ("box", "sphere", "cylinder")
Draw = np.random.RandomState
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Solid:
    """A box (half extents), a sphere (radius first in `half`) or an upright cylinder (radius, radius, half height).

    `label` is a class index or VOID; solids with one `skin` share a material.
    """

    shape: str
    centre: Vector
    half: Vector
    label: int
    skin: int = 0


@dataclass(frozen=True)
class Piece:
    """Solids around the origin of the floor, the footprint (half x, half y) they need, and whether a wall is behind."""

    solids: tuple[Solid, ...]
    footprint: tuple[float, float]
    at_wall: bool


def box(label: int, x: float, y: float, z: float, hx: float, hy: float, hz: float, skin: int = 0) -> Solid:
    """A box over the centre (x, y), from height z upwards by 2·hz."""
    return Solid("box", (x, y, z + hz), (hx, hy, hz), label, skin)


def bed(draw: Draw) -> Piece:
    width, length, height = draw.uniform(0.5, 0.95), draw.uniform(0.95, 1.1), draw.uniform(0.15, 0.28)
    label = LABEL["bed"]
    solids = [
        box(label, 0, 0, 0, width, length, height),
        box(label, 0, 0.06, 2 * height, width - 0.03, length - 0.09, 0.05, skin=1),
        box(label, 0, -length - 0.03, 0, width, 0.03, draw.uniform(0.4, 0.6)),
    ]
    pillows = (-0.5, 0.5) if width > 0.7 else (0.0,)
    solids += [
        box(LABEL["objects"], side * width, -length + 0.3, 2 * height + 0.1, 0.3, 0.2, 0.06, skin=2) for side in pillows
    ]
    return Piece(tuple(solids), (width, length + 0.06), at_wall=True)


def sofa(draw: Draw) -> Piece:
    width, depth, seat = draw.uniform(0.7, 1.2), draw.uniform(0.38, 0.48), draw.uniform(0.18, 0.23)
    label, back, arm = LABEL["sofa"], draw.uniform(0.35, 0.48), draw.uniform(0.26, 0.34)
    solids = (
        box(label, 0, 0, 0, width, depth, seat),
        box(label, 0, -depth + 0.1, 0, width, 0.1, back),
        box(label, -width + 0.08, 0, 0, 0.08, depth, arm, skin=int(draw.randint(2))),
        box(label, width - 0.08, 0, 0, 0.08, depth, arm),
        box(LABEL["objects"], draw.uniform(-0.5, 0.5) * width, -depth + 0.28, 2 * seat, 0.2, 0.07, 0.17, skin=2),
    )
    return Piece(solids, (width, depth), at_wall=True)


def table(draw: Draw) -> Piece:
    hx, hy, height = draw.uniform(0.4, 0.9), draw.uniform(0.3, 0.5), draw.uniform(0.4, 0.78)
    label, leg = LABEL["table"], 0.03
    solids = [box(label, 0, 0, height - 0.05, hx, hy, 0.025)]
    if draw.random_sample() < 0.4:
        solids[0] = Solid("cylinder", (0, 0, height - 0.025), (hy + 0.1, hy + 0.1, 0.025), label)
        solids.append(Solid("cylinder", (0, 0, height / 2 - 0.03), (0.15, 0.15, height / 2 - 0.03), label))
        hx = hy = 0.8 * hy
    else:
        corners = [(sx * (hx - leg), sy * (hy - leg)) for sx in (-1, 1) for sy in (-1, 1)]
        solids += [box(label, x, y, 0, leg, leg, height / 2 - 0.025) for x, y in corners]
    solids += _clutter(draw, int(draw.randint(1, 4)), hx, hy, height)
    return Piece(tuple(solids), (hx + 0.02, hy + 0.02), at_wall=False)


def chair(draw: Draw) -> Piece:
    half, seat, back = draw.uniform(0.2, 0.26), draw.uniform(0.4, 0.48), draw.uniform(0.18, 0.3)
    label, leg = LABEL["chair"], 0.022
    solids = [
        box(label, 0, 0, seat - 0.05, half, half, 0.025),
        box(label, 0, -half + 0.02, seat, half, 0.02, back, skin=int(draw.randint(2))),
    ]
    corners = [(sx * (half - leg), sy * (half - leg)) for sx in (-1, 1) for sy in (-1, 1)]
    solids += [box(label, x, y, 0, leg, leg, seat / 2 - 0.025) for x, y in corners]
    return Piece(tuple(solids), (half, half), at_wall=False)


def column(draw: Draw) -> Piece:
    """Holds the ceiling up, and nobody labelled it."""
    radius = draw.uniform(0.2, 0.45)
    return Piece((Solid("cylinder", (0, 0, 2), (radius, radius, 2), VOID),), (radius, radius), at_wall=False)


def pouf(draw: Draw) -> Piece:
    """A round seat."""
    radius, height = draw.uniform(0.25, 0.42), draw.uniform(0.18, 0.25)
    label = LABEL["chair"] if radius < 0.32 else LABEL["sofa"]
    return Piece((Solid("cylinder", (0, 0, height), (radius, radius, height), label),), (radius, radius), at_wall=False)


def cabinet(draw: Draw) -> Piece:
    hx, hy, height = draw.uniform(0.3, 0.8), draw.uniform(0.2, 0.3), draw.uniform(0.5, 2.0)
    solids = [box(LABEL["furniture"], 0, 0, 0, hx, hy, height / 2)]
    if height < 1.2:
        if draw.random_sample() < 0.5:
            solids.append(box(LABEL["tv"], 0, 0, height + 0.02, min(hx, 0.5), 0.03, draw.uniform(0.2, 0.32), skin=1))
        solids += _clutter(draw, int(draw.randint(0, 3)), hx, hy, height)
    return Piece(tuple(solids), (hx, hy), at_wall=True)


def shelf(draw: Draw) -> Piece:
    hx, hy, height, boards = draw.uniform(0.35, 0.6), 0.15, draw.uniform(1.0, 2.0), int(draw.randint(3, 5))
    label = LABEL["furniture"]
    solids = [box(label, side * hx, 0, 0, 0.02, hy, height / 2) for side in (-1, 1)]
    for level in range(boards):
        z = 0.05 + level * (height - 0.1) / (boards - 1)
        solids.append(box(label, 0, 0, z, hx, hy, 0.015))
        if level + 1 < boards:
            filled, tall = draw.uniform(0.3, 0.95) * hx, draw.uniform(0.5, 0.8) * (height - 0.1) / (boards - 1)
            left = draw.choice((-1, 1)) * (hx - filled - 0.03)
            solids.append(box(LABEL["books"], left, -0.02, z + 0.03, filled, 0.1, tall / 2, skin=2 + level))
    return Piece(tuple(solids), (hx + 0.02, hy), at_wall=True)


def thing(draw: Draw) -> Piece:
    """Something that stands on the floor: a ball, a plant pot, a carton, a lamp; now and then nobody labelled it."""
    label = VOID if draw.random_sample() < 0.4 else LABEL["objects"]
    kind, size = draw.choice((0, 0, 1, 2, 3, 3, 4)), draw.uniform(0.18, 0.4)
    if kind == 0:
        solids: tuple[Solid, ...] = (Solid("sphere", (0, 0, size), (size, size, size), label),)
    elif kind == 1:
        tall = draw.uniform(0.15, 0.5)
        solids = (
            Solid("cylinder", (0, 0, tall / 2), (size * 0.8, size * 0.8, tall / 2), label),
            Solid("sphere", (0, 0, tall + size), (size, size, size), label, skin=1),
        )
    elif kind == 2:
        solids = (box(label, 0, 0, 0, size, draw.uniform(0.1, 0.3), draw.uniform(0.1, 0.35)),)
    elif kind == 3:
        tall = draw.uniform(0.3, 1.1)
        solids = (Solid("cylinder", (0, 0, tall / 2), (size, size, tall / 2), label),)
    else:
        tall = draw.uniform(0.9, 1.5)
        solids = (
            box(label, 0, 0, 0, 0.03, 0.03, tall / 2),
            Solid("cylinder", (0, 0, tall + 0.15), (0.22, 0.22, 0.17), label, skin=1),
        )
    return Piece(solids, (0.3, 0.3), at_wall=False)


def _clutter(draw: Draw, count: int, hx: float, hy: float, height: float) -> list[Solid]:
    """Books and cartons on a surface; nothing small is round, or a few pixels would be all of the mean curvature."""
    found = []
    for i in range(count):
        x, y = draw.uniform(-0.8, 0.8) * hx, draw.uniform(-0.7, 0.7) * hy
        label = LABEL["books"] if draw.random_sample() < 0.5 else LABEL["objects"]
        found.append(box(label, x, y, height, draw.uniform(0.08, 0.18), 0.1, draw.uniform(0.03, 0.15), 3 + i))
    return found


Builder = Callable[[Draw], Piece]
# how often a room has how many of each: a long tail of classes
CATALOGUE: tuple[tuple[Builder, tuple[int, int]], ...] = (
    (bed, (0, 2)),
    (sofa, (0, 2)),
    (cabinet, (0, 3)),
    (shelf, (0, 2)),
    (column, (0, 2)),
    (table, (0, 3)),
    (pouf, (0, 3)),
    (chair, (1, 4)),
    (thing, (1, 4)),
)
