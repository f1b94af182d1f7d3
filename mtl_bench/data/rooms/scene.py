"""A furnished room, its camera and its lights, drawn from one random stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mtl_bench.data.rooms.furniture import CATALOGUE, LABEL, SHAPES, VOID, Draw, Piece

TRIES = 12  # places tried for a piece before it is left out
FACES = ("west", "east", "south", "north", "floor", "ceiling")  # of the room: -x, +x, -y, +y, -z, +z


@dataclass(frozen=True)
class Placed:
    """A solid in the room's frame: `centre` in metres, turned by `yaw` (radians) about the vertical."""

    shape: str
    centre: Float[np.ndarray, "3"]
    half: Float[np.ndarray, "3"]
    yaw: float
    label: int
    skin: int
    depth: bool = True  # False: a sensor measures no distance here (glass)
    flat: bool = False  # lies on a wall and casts no shadow worth tracing


@dataclass(frozen=True)
class Camera:
    """Pinhole at `position`; `rotation` takes camera axes (x right, y down, z forward) to the room's; `tangent` is
    that of half the horizontal angle of view.
    """

    position: Float[np.ndarray, "3"]
    rotation: Float[np.ndarray, "3 3"]
    tangent: float


@dataclass
class Scene:
    """The room [0, size] with z up; the first six skins are the room's own faces in the order of FACES."""

    size: Float[np.ndarray, "3"]
    camera: Camera
    lights: Float[np.ndarray, "lights 6"]  # position (m) and colour
    ambient: float
    flash: float
    exposure: float
    solids: list[Placed] = field(default_factory=list)
    skins: int = len(FACES)

    def numbers(self) -> Iterator[np.ndarray | float]:
        """Everything above, in order."""
        yield self.size
        yield from (self.camera.position, self.camera.rotation, self.camera.tangent)
        yield from (self.lights, self.ambient, self.flash, self.exposure)
        for solid in self.solids:
            shape = SHAPES.index(solid.shape)
            yield from (shape, solid.centre, solid.half, solid.yaw, solid.label, solid.skin, solid.depth, solid.flat)


def draw_scene(draw: Draw) -> Scene:
    """Room, camera, then furniture where its footprint is free and off the lens; turned pieces may still touch."""
    size = np.array([draw.uniform(3.0, 8.0), draw.uniform(3.0, 8.0), draw.uniform(2.4, 2.9)])
    ambient, flash, exposure = draw.uniform(0.2, 0.4), draw.uniform(0.0, 0.4), draw.uniform(0.75, 1.2)
    scene = Scene(size, _camera(draw, size), _lights(draw, size), ambient, flash, exposure)
    taken = [(*scene.camera.position[:2], 0.55, 0.55)]
    for build, (low, high) in CATALOGUE:
        for _ in range(draw.randint(low, high)):
            _place(draw, scene, build(draw), taken)
    _hang(draw, scene)
    return scene


def _camera(draw: Draw, size: Float[np.ndarray, "3"]) -> Camera:
    """Near a side of the room, looking roughly through its middle; height, pitch, roll and angle of view vary."""
    angle = draw.uniform(0, 2 * np.pi)
    middle = size[:2] / 2
    position = middle + (middle - 0.5) * np.clip(1.5 * np.array([np.cos(angle), np.sin(angle)]), -1, 1)
    height = draw.uniform(1.42, 1.58)
    aim = middle + draw.uniform(-0.35, 0.35, 2) * size[:2] - position
    yaw = np.arctan2(aim[1], aim[0])
    pitch, roll = np.radians(draw.uniform(-40, 10)), np.radians(draw.uniform(-4, 4))
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    turned = np.cos(roll) * right + np.sin(roll) * down
    rotation = np.stack([turned, np.cross(forward, turned), forward], axis=1)
    return Camera(np.array([*position, height]), rotation, np.tan(np.radians(draw.uniform(63, 71)) / 2))


def _lights(draw: Draw, size: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 6"]:
    """One lamp under the ceiling and a weaker one anywhere above; coloured."""
    first = [*(draw.uniform(0.25, 0.75, 2) * size[:2]), size[2] - 0.15]
    second = [*(draw.uniform(0.1, 0.9, 2) * size[:2]), draw.uniform(0.6, 0.95) * size[2]]
    tints = 1 + draw.uniform(-0.25, 0.25, (2, 3))
    return np.array([[*first, *tints[0]], [*second, *(draw.uniform(0.2, 0.7) * tints[1])]])


def _place(draw: Draw, scene: Scene, piece: Piece, taken: list[tuple[float, float, float, float]]) -> None:
    for _ in range(TRIES):
        quarter = int(draw.randint(4))
        hx, hy = piece.footprint if quarter % 2 == 0 else piece.footprint[::-1]
        jitter = draw.uniform(-0.15, 0.15) if piece.at_wall else draw.uniform(-0.7, 0.7)
        margin = 0.02 if piece.at_wall else 0.15
        low, high = np.array([hx, hy]) + margin, scene.size[:2] - np.array([hx, hy]) - margin
        if (low >= high).any():
            continue
        x, y = draw.uniform(low, high)
        if piece.at_wall:  # its back (-y of its own frame) meets the wall
            x, y = [(x, low[1]), (high[0], y), (x, high[1]), (low[0], y)][quarter]
            jitter = 0.0
        spot = (x, y, hx, hy)
        if any(abs(x - a) < hx + c and abs(y - b) < hy + d for a, b, c, d in taken):
            continue
        taken.append(spot)
        _add(scene, piece, x, y, quarter * np.pi / 2 + jitter)
        return


def _add(scene: Scene, piece: Piece, x: float, y: float, yaw: float) -> None:
    cos, sin = np.cos(yaw), np.sin(yaw)
    for solid in piece.solids:
        a, b, z = solid.centre
        centre = np.array([x + cos * a - sin * b, y + sin * a + cos * b, z])
        half = np.array(solid.half)
        scene.solids.append(Placed(solid.shape, centre, half, yaw, solid.label, scene.skins + solid.skin))
    scene.skins += 1 + max(solid.skin for solid in piece.solids)


def _hang(draw: Draw, scene: Scene) -> None:
    """Windows, doors, pictures, screens and mirrors on the walls; they may hide behind furniture."""
    kinds = ("window", "window", "door", "picture", "picture", "picture", "tv", "tv", "mirror", "mirror", "mirror")
    for kind in draw.choice(kinds, draw.randint(4, 9)):
        wall = int(draw.randint(4))
        length = scene.size[1 - wall // 2]
        hx, hz = draw.uniform(*_EXTENT[kind][0]), draw.uniform(*_EXTENT[kind][1])
        z = hz if kind == "door" else draw.uniform(max(0.9, hz), scene.size[2] - hz - 0.1)
        along = draw.uniform(hx, length - hx) if length > 2 * hx else length / 2
        thick = 0.015 if kind in ("window", "door", "mirror") else 0.03
        face = [0.0, scene.size[0], 0.0, scene.size[1]][wall]
        centre = np.array([face, along, z]) if wall < 2 else np.array([along, face, z])
        half = np.array([thick, hx, hz]) if wall < 2 else np.array([hx, thick, hz])
        label = VOID if kind == "mirror" else LABEL["wall" if kind == "door" else kind]
        scene.solids.append(
            Placed("box", centre, half, 0.0, label, scene.skins, depth=kind not in ("window", "mirror"), flat=True)
        )
        scene.skins += 1


_EXTENT = {  # half width and half height in metres
    "window": ((0.4, 0.9), (0.4, 0.65)),
    "door": ((0.38, 0.48), (0.98, 1.05)),
    "picture": ((0.2, 0.7), (0.2, 0.5)),
    "tv": ((0.3, 0.6), (0.2, 0.35)),
    "mirror": ((0.3, 0.8), (0.5, 0.9)),
}
