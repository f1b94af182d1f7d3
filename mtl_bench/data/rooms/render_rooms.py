"""Scenes become images and targets, a batch at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtl_bench.data.packed import Field
from mtl_bench.data.rooms.furniture import Draw
from mtl_bench.data.rooms.materials import albedo, draw_materials, stack_materials
from mtl_bench.data.rooms.raycast import Cameras, cast
from mtl_bench.data.rooms.scene import Scene, draw_scene
from mtl_bench.data.rooms.shading import shade
from mtl_bench.data.rooms.solids import collect
from mtl_bench.data.rooms.targets import Seen, fields, targets
from mtl_bench.streams import stream_seed

Extra = Callable[[Tensor], Tensor]
RAYS = {"cpu": 1 << 16, "cuda": 1 << 21}  # at a time: what fits a processor's cache, what keeps a GPU busy (1 GiB)


@dataclass(frozen=True)
class Room:
    """A scene, its materials, and its sensor noise."""

    scene: Scene
    materials: np.ndarray
    noise: np.ndarray

    def drawn(self) -> bytes:
        """Scene and materials to the micrometre, which no processor computes differently, as all do pixels."""
        parts = [np.ravel(part) for part in (*self.scene.numbers(), self.materials)]
        return (np.round(np.concatenate(parts), 6) + 0.0).astype("<f8").tobytes()  # + 0.0: no negative zeros


def draw_room(seed: int, split: str, index: int, height: int, width: int) -> Room:
    """Depends on its arguments and on nothing else: a smaller split is the beginning of a larger one.

    Two streams, so that the scenes of a split with unseen textures would look alike with familiar ones.
    """
    layout, look = (Draw(stream_seed("rooms", part, seed, split, index) & 0xFFFFFFFF) for part in ("scene", "look"))
    scene = draw_scene(layout)
    materials = draw_materials(look, scene.skins, shifted=split == "test_shift")
    sigma = look.uniform(0.005, 0.04)
    return Room(scene, materials, sigma * look.standard_normal((3, height, width)))


def render(
    rooms: Sequence[Room], height: int, width: int, device: torch.device, extra: Mapping[str, Extra] | None = None
) -> dict[str, Tensor]:
    """Image and targets of every room, decoded, on the device; see `fields` for shapes and units.

    `extra` adds maps that are made from the render before sensor noise.
    """
    scenes = [room.scene for room in rooms]
    solids = collect(scenes, device)
    cameras = Cameras.of(scenes, height, width, device)
    hits = cast(cameras, solids)
    skin = solids.skin.gather(1, hits.owner)
    steepness = -(hits.normal * torch.einsum("sij,srj->sri", cameras.rotation, cameras.rays)).sum(dim=-1)
    footprint = hits.depth * cameras.pixel / steepness.clamp(min=0.05)
    materials = stack_materials([room.materials for room in rooms], device)
    colour = shade(scenes, hits, solids, albedo(materials, skin, hits.surface, footprint))
    clean = colour.reshape(len(rooms), height, width, 3).permute(0, 3, 1, 2).contiguous()
    noise = torch.tensor(np.stack([room.noise for room in rooms]), dtype=torch.float32, device=device)
    seen = Seen(cameras, hits, solids, clean)
    return {
        "image": (clean + noise).clamp(0, 1),
        **targets(seen),
        **{name: make(clean) for name, make in (extra or {}).items()},
    }


def extra_field(height: int, width: int) -> Field:
    """How maps of `extra` are stored."""
    return Field("float16", (1, height, width), "float", kind="map")


def render_split(
    seed: int,
    split: str,
    count: int,
    height: int,
    width: int,
    device: torch.device,
    extra: Mapping[str, Extra] | None = None,
    drawn: Callable[[bytes], None] | None = None,
) -> dict[str, np.ndarray]:
    """`count` rooms as packed arrays store them; `drawn` is handed what they are rendered from."""
    stored = fields(height, width)
    stored |= {name: extra_field(height, width) for name in extra or {}}
    arrays = {name: np.empty((count, *field.shape), field.dtype) for name, field in stored.items()}
    step = max(1, RAYS[device.type] // (height * width))
    for start in range(0, count, step):
        chunk = range(start, min(start + step, count))
        rooms = [draw_room(seed, split, i, height, width) for i in chunk]
        if drawn is not None:
            drawn(b"".join(room.drawn() for room in rooms))
        rendered = render(rooms, height, width, device, extra)
        for name, field in stored.items():
            arrays[name][chunk.start : chunk.stop] = _encode(rendered[name], field)
    return arrays


def _encode(maps: Tensor, field: Field) -> np.ndarray:
    found: np.ndarray = field.encoding.encode(maps).cpu().numpy().astype(field.dtype)
    return found
