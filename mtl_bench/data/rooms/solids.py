"""The solids of a batch of scenes as tensors, and where rays enter and leave them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtl_bench.data.rooms.furniture import LABEL, SHAPES
from mtl_bench.data.rooms.scene import FACES, Placed, Scene

TINY = 1e-9  # added to ray directions: a ray parallel to a face meets its plane very far away, not at NaN
Interval = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Rays:
    """`origin` + t · `direction`; components apart, each [scenes, rays] (origins may be [scenes, 1])."""

    origin: tuple[Tensor, Tensor, Tensor]
    direction: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, origin: Float[Tensor, "scenes rays 3"], direction: Float[Tensor, "scenes rays 3"]) -> "Rays":
        x, y, z = (part.contiguous() for part in (direction + TINY).unbind(-1))
        a, b, c = (part.contiguous() for part in origin.unbind(-1))
        return cls((a, b, c), (x, y, z))


@dataclass(frozen=True)
class Solids:
    """One row per surface owner of a scene: the room itself once per face, then boxes, spheres and cylinders.

    `counts` says how many rows of each shape follow the faces; scenes with fewer are padded with solids of negative
    extent, which no ray meets. The first `blockers` boxes cast shadows.
    """

    centre: Float[Tensor, "scenes owners 3"]
    half: Float[Tensor, "scenes owners 3"]
    turn: Float[Tensor, "scenes owners 2"]  # cosine and sine of the yaw
    label: Int64[Tensor, "scenes owners"]
    skin: Int64[Tensor, "scenes owners"]
    shape: Int64[Tensor, "scenes owners"]
    depth: Int64[Tensor, "scenes owners"]  # 0 where a sensor measures no distance
    counts: tuple[int, int, int]
    blockers: int

    def each(self, shape: str, blockers: bool = False) -> range:
        """Rows of one shape."""
        kind = SHAPES.index(shape)
        start = len(FACES) + sum(self.counts[:kind])
        return range(start, start + (self.blockers if blockers and kind == 0 else self.counts[kind]))

    def interval(self, rays: Rays, row: int) -> Interval:
        """Where rays enter and leave the solid of a row; entry lies behind exit where they miss it."""
        cos, sin = self.turn[:, row, :1], self.turn[:, row, 1:]
        half = self.half[:, row].unsqueeze(-1)
        ox, oy, oz = (a - c for a, c in zip(rays.origin, self.centre[:, row].unsqueeze(-1).unbind(1), strict=True))
        dx, dy, dz = rays.direction
        shape = SHAPES[0] if row < self.each("sphere").start else "sphere"
        if row >= self.each("cylinder").start:
            shape = "cylinder"
        if shape == "sphere":
            return _quadratic(
                dx * dx + dy * dy + dz * dz, dx * ox + dy * oy + dz * oz, ox * ox + oy * oy + oz * oz, half[:, 0]
            )
        upright = _slab(oz, dz, half[:, 2])
        if shape == "cylinder":
            return _meet(_quadratic(dx * dx + dy * dy, dx * ox + dy * oy, ox * ox + oy * oy, half[:, 0]), upright)
        ox, oy = cos * ox + sin * oy, cos * oy - sin * ox
        dx, dy = cos * dx + sin * dy, cos * dy - sin * dx
        return _meet(_meet(_slab(ox, dx, half[:, 0]), _slab(oy, dy, half[:, 1])), upright)


def _slab(origin: Tensor, direction: Tensor, half: Tensor) -> Interval:
    inverse = direction.reciprocal()
    middle, reach = origin * inverse, half * inverse.abs()
    return -(middle + reach), reach - middle


def _meet(first: Interval, second: Interval) -> Interval:
    return torch.maximum(first[0], second[0]), torch.minimum(first[1], second[1])


def _quadratic(a: Tensor, b: Tensor, c: Tensor, radius: Tensor) -> Interval:
    """Roots of a·t² + 2b·t + (c − radius²); a negative radius has none."""
    discriminant = b * b - a * (c - radius * radius)
    root = torch.where((discriminant > 0) & (radius > 0), discriminant, -1.0).clamp(min=-1.0)
    missed = root < 0
    root = root.clamp(min=0).sqrt()
    return torch.where(missed, torch.inf, (-b - root) / a), torch.where(missed, -torch.inf, (root - b) / a)


def collect(scenes: Sequence[Scene], device: torch.device) -> Solids:
    """The solids of several scenes side by side."""
    sorts = [("box", False), ("box", True), ("sphere", False), ("cylinder", False)]  # boxes that cast shadows first
    groups = [[_rows(scene, *sort) for scene in scenes] for sort in sorts]
    counts = [max(map(len, group)) for group in groups]
    padding = [[0.0, 0, 0, -1, -1, -1, 1, 0, 0, 0, SHAPES.index(shape), 1] for shape, _ in sorts]
    tables = []
    for b, scene in enumerate(scenes):
        rows = [_face_row(scene, face) for face in range(len(FACES))]
        for group, count, pad in zip(groups, counts, padding, strict=True):
            rows += group[b] + [pad] * (count - len(group[b]))
        tables.append(rows)
    table = torch.tensor(np.array(tables), dtype=torch.float64, device=device)
    flags = table[..., 8:].long()
    real = table[..., :8].float()
    return Solids(
        real[..., :3], real[..., 3:6], real[..., 6:8],
        flags[..., 0], flags[..., 1], flags[..., 2], flags[..., 3],
        (counts[0] + counts[1], counts[2], counts[3]), counts[0],
    )  # fmt: skip


def _rows(scene: Scene, shape: str, flat: bool) -> list[list[float]]:
    solids = [solid for solid in scene.solids if (solid.shape, solid.flat) == (shape, flat)]
    return [_row(solid) for solid in solids]


def _row(solid: Placed) -> list[float]:
    turn = [np.cos(solid.yaw), np.sin(solid.yaw)]
    rest = [solid.label, solid.skin, SHAPES.index(solid.shape), solid.depth]
    return [*solid.centre, *solid.half, *turn, *rest]


def _face_row(scene: Scene, face: int) -> list[float]:
    label = LABEL[FACES[face]] if FACES[face] in LABEL else LABEL["wall"]
    return [*(scene.size / 2), *(scene.size / 2), 1, 0, label, face, 0, 1]
