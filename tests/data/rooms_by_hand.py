"""Rooms put together by hand, and what a camera sees in them by school formulas: one ray and one solid at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mtl_bench.data.rooms.furniture import LABEL
from mtl_bench.data.rooms.materials import COLUMNS
from mtl_bench.data.rooms.raycast import Cameras, cast
from mtl_bench.data.rooms.render_rooms import Room, draw_room, render
from mtl_bench.data.rooms.scene import FACES, Camera, Placed, Scene
from mtl_bench.data.rooms.solids import collect
from mtl_bench.data.rooms.targets import Seen

CPU = torch.device("cpu")
SIZE = (6.0, 5.0, 3.0)  # metres
EAST = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a level camera that looks along x
Vector = Sequence[float]


@dataclass(frozen=True)
class Crossing:
    """Where a ray meets a surface; `normal` is outward, `solid` the index among the scene's, or -1 - face."""

    depth: float
    normal: np.ndarray
    solid: int
    curvature: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Slow:
    """What the slow camera sees, [height, width, …]; `tie`: two solids are less than a tenth of a millimetre apart."""

    depth: np.ndarray
    normal: np.ndarray
    curvature: np.ndarray
    solid: np.ndarray
    tie: np.ndarray
    rays: np.ndarray = field(repr=False)


def make_solid(
    shape: str, centre: Vector, half: Vector, label: str = "objects", yaw: float = 0, **more: bool
) -> Placed:
    return Placed(shape, np.array(centre, float), np.array(half, float), yaw, LABEL[label], len(FACES), **more)


def make_scene(
    *solids: Placed, eye: Vector = (0.8, 2.5, 1.5), rotation: np.ndarray = EAST, tangent: float = 1
) -> Scene:
    """A room with one white lamp under the middle of the ceiling and no other light; all solids share a skin."""
    lights = np.array([[3, 2.5, 2.9, 1, 1, 1], [3, 2.5, 2.9, 0, 0, 0]], float)
    camera = Camera(np.array(eye, float), rotation, tangent)
    return Scene(np.array(SIZE), camera, lights, 0.0, 0.0, 1.0, list(solids), len(FACES) + 1)


def plain(scene: Scene, height: int, width: int, seed: int = 0) -> Room:
    """The scene in one colour per skin, without sensor noise."""
    materials = np.zeros((scene.skins, COLUMNS))
    materials[:, :3] = np.random.RandomState(seed).uniform(0.3, 0.9, (scene.skins, 3))
    return Room(scene, materials, np.zeros((3, height, width)))


def shoot(room: Room) -> dict[str, Tensor]:
    """Image and targets of one room, without the batch axis."""
    height, width = room.noise.shape[1:]
    return {name: maps[0] for name, maps in render([room], height, width, CPU).items()}


def draw_clean(count: int, height: int, width: int, split: str = "train", seed: int = 0) -> list[Room]:
    """Rooms as drawn, their sensor noise taken off."""
    rooms = [draw_room(seed, split, index, height, width) for index in range(count)]
    return [replace(room, noise=np.zeros((3, height, width))) for room in rooms]


def look(scenes: Sequence[Scene], height: int, width: int, cameras: Cameras | None = None) -> Seen:
    """The scenes' surfaces under a black lamp."""
    solids = collect(scenes, CPU)
    cameras = cameras or Cameras.of(scenes, height, width, CPU)
    return Seen(cameras, cast(cameras, solids), solids, torch.zeros(len(scenes), 3, height, width))


def slow_cast(scene: Scene, height: int, width: int) -> Slow:
    camera, focal = scene.camera, width / 2 / scene.camera.tangent
    rays = np.array(
        [
            [((j + 0.5 - width / 2) / focal, (i + 0.5 - height / 2) / focal, 1) for j in range(width)]
            for i in range(height)
        ]
    )
    found = [
        sorted(crossings(scene, camera.position, camera.rotation @ ray), key=lambda c: c.depth)
        for ray in rays.reshape(-1, 3)
    ]
    first = [hits[0] for hits in found]
    second = [
        next(hit.depth for hit in [*hits, Crossing(np.inf, hits[0].normal, -9)] if hit.solid != hits[0].solid)
        for hits in found
    ]

    def image(values: Sequence) -> np.ndarray:
        return np.array(values).reshape(height, width, *np.shape(values[0]))

    depth = image([hit.depth for hit in first])
    return Slow(
        depth,
        image([hit.normal @ camera.rotation for hit in first]),
        image([hit.curvature for hit in first]),
        image([hit.solid for hit in first]),
        image(second) - depth < 1e-4,
        rays,
    )


def crossings(scene: Scene, origin: np.ndarray, ray: np.ndarray) -> Iterator[Crossing]:
    """Every surface before the origin, near and far sides of solids alike, in no order."""
    ray = ray + 1e-12  # no division by zero
    for axis, side in np.ndindex(3, 2):
        normal = np.eye(3)[axis] * (1 - 2 * side)
        depth = (side * scene.size[axis] - origin[axis]) / ray[axis]
        if depth > 0 and normal @ ray < 0:
            yield Crossing(depth, normal, -1 - (2 * axis + side))
    for index, solid in enumerate(scene.solids):
        around = {"box": _box, "sphere": _sphere, "cylinder": _cylinder}[solid.shape]
        yield from (replace(hit, solid=index) for hit in around(solid, origin - solid.centre, ray) if hit.depth > 0)


def _box(solid: Placed, origin: np.ndarray, ray: np.ndarray) -> Iterator[Crossing]:
    cos, sin = np.cos(solid.yaw), np.sin(solid.yaw)
    axes = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    for axis, sign in ((axis, sign) for axis in range(3) for sign in (-1, 1)):
        depth = (sign * solid.half[axis] - axes[axis] @ origin) / (axes[axis] @ ray)
        place = np.abs(axes @ (origin + depth * ray)) <= solid.half
        if np.delete(place, axis).all():
            yield Crossing(depth, sign * axes[axis], 0)


def _sphere(solid: Placed, origin: np.ndarray, ray: np.ndarray) -> Iterator[Crossing]:
    radius = solid.half[0]
    for depth in _roots(ray @ ray, 2 * origin @ ray, origin @ origin - radius**2):
        yield Crossing(depth, (origin + depth * ray) / radius, 0, (1 / radius, 1 / radius))


def _cylinder(solid: Placed, origin: np.ndarray, ray: np.ndarray) -> Iterator[Crossing]:
    radius, _, height = solid.half
    flat, base = ray * [1, 1, 0], origin * [1, 1, 0]
    for depth in _roots(flat @ flat, 2 * base @ flat, base @ base - radius**2):
        if abs((origin + depth * ray)[2]) <= height:
            yield Crossing(depth, (base + depth * flat) / radius, 0, (1 / radius, 0))
    for sign in (-1, 1):
        depth = (sign * height - origin[2]) / ray[2]
        if np.linalg.norm(base + depth * flat) <= radius:
            yield Crossing(depth, np.array([0.0, 0, sign]), 0)


def _roots(a: float, b: float, c: float) -> Iterator[float]:
    if (discriminant := b * b - 4 * a * c) > 0:
        yield from ((-b + sign * discriminant**0.5) / (2 * a) for sign in (-1, 1))
