"""What each pixel of a camera sees: the nearest surface, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mtl_bench.data.rooms.furniture import SHAPES
from mtl_bench.data.rooms.scene import FACES, Scene
from mtl_bench.data.rooms.solids import Rays, Solids

EPSILON = 1e-3  # metres a shadow ray starts above its surface, and the nearest distance a camera sees


@dataclass(frozen=True)
class Cameras:
    """Cameras of several scenes. A pixel's ray has camera z of 1, so its parameter t is the z-depth in metres."""

    position: Float[Tensor, "scenes 3"]
    rotation: Float[Tensor, "scenes 3 3"]  # camera axes (x right, y down, z forward) as columns, in the room's frame
    rays: Float[Tensor, "scenes rays 3"]  # in the camera's frame
    pixel: Float[Tensor, "scenes 1"]  # width of a pixel at z = 1

    @classmethod
    def of(cls, scenes: Sequence[Scene], height: int, width: int, device: torch.device) -> "Cameras":
        """Rays through the pixel centres, row by row."""
        cameras = [scene.camera for scene in scenes]
        tangent = torch.tensor([camera.tangent for camera in cameras], dtype=torch.float32, device=device)
        x = (torch.arange(width, device=device) + 0.5) * 2 / width - 1
        y = ((torch.arange(height, device=device) + 0.5) * 2 / height - 1) * (height / width)
        plane = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1).reshape(-1, 2)
        rays = torch.cat([plane * tangent[:, None, None], torch.ones(len(cameras), len(plane), 1, device=device)], -1)
        stacked = [np.stack([camera.position for camera in cameras]), np.stack([c.rotation for c in cameras])]
        position, rotation = (torch.tensor(part, dtype=torch.float32, device=device) for part in stacked)
        return cls(position, rotation, rays, 2 * tangent[:, None] / width)


@dataclass(frozen=True)
class Hits:
    """The nearest surface of every ray; vectors are in the room's frame."""

    depth: Float[Tensor, "scenes rays"]  # along the ray parameter: the z-depth of camera rays
    owner: Int64[Tensor, "scenes rays"]  # row of `Solids`
    point: Float[Tensor, "scenes rays 3"]
    normal: Float[Tensor, "scenes rays 3"]  # outward, so it faces the ray
    surface: Float[Tensor, "scenes rays 2"]  # coordinates on the surface, metres
    curvature: Float[Tensor, "scenes rays 2"]  # principal curvatures, 1/m


def cast(cameras: Cameras, solids: Solids) -> Hits:
    directions = torch.einsum("sij,srj->sri", cameras.rotation, cameras.rays)
    rays = Rays.of(cameras.position[:, None], directions)
    depth, owner = _leave(rays, solids)
    for shape in SHAPES:
        for row in solids.each(shape):
            entry, exit_ = solids.interval(rays, row)
            nearer = (entry < exit_) & (entry > EPSILON) & (entry < depth)
            depth = torch.where(nearer, entry, depth)
            owner = torch.where(nearer, row, owner)
    point = cameras.position[:, None] + depth[..., None] * directions
    return Hits(depth, owner, point, *_surface(point, owner, solids))


def _leave(rays: Rays, solids: Solids) -> tuple[Float[Tensor, "scenes rays"], Int64[Tensor, "scenes rays"]]:
    """Distance to the wall, floor or ceiling that a ray inside the room runs into, and which one it is."""
    exits, faces = [], []
    for axis, (origin, direction) in enumerate(zip(rays.origin, rays.direction, strict=True)):
        size = 2 * solids.half[:, 0, axis, None]
        exits.append((torch.where(direction > 0, size, 0.0) - origin) / direction)
        faces.append(torch.where(direction > 0, 2 * axis + 1, 2 * axis))
    nearest, axis_ = torch.stack(exits).min(dim=0)
    return nearest, torch.stack(faces).gather(0, axis_[None])[0]


def _surface(
    point: Float[Tensor, "scenes rays 3"], owner: Int64[Tensor, "scenes rays"], solids: Solids
) -> tuple[Tensor, Tensor, Tensor]:
    """Normal, surface coordinates and principal curvatures at hit points."""
    centre, half, turn = (
        part.gather(1, owner[..., None].expand(-1, -1, part.shape[-1]))
        for part in (solids.centre, solids.half, solids.turn)
    )
    shape = solids.shape.gather(1, owner)
    inside = owner < len(FACES)
    x, y, z = (point - centre).unbind(-1)
    cos, sin = turn.unbind(-1)
    local = torch.stack([cos * x + sin * y, cos * y - sin * x, z], dim=-1)
    normal, surface = _box(local, half)
    radius = half[..., :1]
    rounded, unrolled = _round(local, radius, sphere=shape == 1)
    lateral = (shape == 2) & (local[..., :2].norm(dim=-1) / half[..., 0] > local[..., 2].abs() / half[..., 2])
    curved = ((shape == 1) | lateral)[..., None]
    normal, surface = torch.where(curved, rounded, normal), torch.where(curved, unrolled, surface)
    normal = torch.where(inside[..., None], -normal, normal)
    x, y, z = normal.unbind(-1)
    normal = torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=-1)
    first = torch.where(curved, 1 / radius, 0.0)
    second = torch.where((shape == 1)[..., None], first, 0.0)
    return normal, surface, torch.cat([first, second], dim=-1)


def _box(local: Float[Tensor, "s r 3"], half: Float[Tensor, "s r 3"]) -> tuple[Tensor, Tensor]:
    """The face of a box that a point lies on: outward normal and the two coordinates along it."""
    axis = (local.abs() - half).argmax(dim=-1, keepdim=True)
    normal = torch.zeros_like(local).scatter_(-1, axis, 1.0) * local.sign()
    first = torch.where(axis == 0, local[..., 1:2], local[..., :1])
    second = torch.where(axis == 2, local[..., 1:2], local[..., 2:])
    return normal, torch.cat([first, second], dim=-1)


def _round(
    local: Float[Tensor, "s r 3"], radius: Float[Tensor, "s r 1"], sphere: Bool[Tensor, "s r"]
) -> tuple[Tensor, Tensor]:
    """Sphere or side of a cylinder: outward normal, and arc length around and height along it."""
    outward = torch.cat([local[..., :2], torch.where(sphere, local[..., 2], 0.0)[..., None]], dim=-1)
    around = torch.atan2(local[..., 1:2], local[..., :1]) * radius
    return outward / outward.norm(dim=-1, keepdim=True).clamp(min=EPSILON), torch.cat([around, local[..., 2:]], dim=-1)


def lit(hits: Hits, light: Float[Tensor, "scenes 3"], solids: Solids) -> Bool[Tensor, "scenes rays"]:
    """Whether a point light reaches the surface; pieces that hang on walls block nothing."""
    origin = hits.point + EPSILON * hits.normal
    rays = Rays.of(origin, light[:, None] - origin)
    free = torch.ones_like(hits.owner, dtype=torch.bool)
    for shape in SHAPES:
        for row in solids.each(shape, blockers=True):
            entry, exit_ = solids.interval(rays, row)
            free &= ~((entry < exit_) & (exit_ > 0) & (entry < 1))
    return free
