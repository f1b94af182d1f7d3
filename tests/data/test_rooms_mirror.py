"""An augmented room equals the re-rendered room where that is exact."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mtl_bench.data.augmentation import HorizontalFlip, RandomScaleCrop
from mtl_bench.data.packed import Field
from mtl_bench.data.rooms.raycast import Cameras
from mtl_bench.data.rooms.render_rooms import Room, render
from mtl_bench.data.rooms.targets import fields, targets
from mtl_bench.data.split import Batch
from tests.data.rooms_by_hand import CPU, draw_clean, look, plain

PER_PIXEL = ("segmentation", "depth_zbuffer", "depth_euclidean", "principal_curvature", "reshading")


def batch_of(rooms: list[Room], height: int, width: int) -> Batch:
    maps = render(rooms, height, width, CPU)
    maps["place"] = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")).repeat(
        len(rooms), 1, 1, 1
    )
    return Batch(maps.pop("image"), maps, None)


def kinds(height: int, width: int) -> dict[str, Field]:
    return {**fields(height, width), "place": Field("int64", (2, height, width), "float", kind="map")}


def mirrored(room: Room) -> Room:
    """Behind a mirror at x = 0, moved back to where the room was. East and west change places."""
    scene, turn = room.scene, np.array([-1, 1, 1])

    def over(points: np.ndarray) -> np.ndarray:
        return points * turn + scene.size * [1, 0, 0]

    camera = scene.camera
    rotation = turn[:, None] * camera.rotation * turn  # image columns run the other way round as well
    lights = np.concatenate([over(scene.lights[:, :3]), scene.lights[:, 3:]], axis=1)
    solids = [replace(solid, centre=over(solid.centre), yaw=-solid.yaw) for solid in scene.solids]
    moved = replace(scene, camera=replace(camera, position=over(camera.position), rotation=rotation), lights=lights)
    materials = room.materials[[1, 0, *range(2, len(room.materials))]]
    return replace(room, scene=replace(moved, solids=solids), materials=materials)


def share_unlike(found: Tensor, expected: Tensor) -> float:
    return 1 - torch.isclose(found, expected, atol=1e-3, rtol=1e-4, equal_nan=True).double().mean().item()


def test_a_flipped_room_is_the_room_behind_a_mirror() -> None:
    """Exact for every field of plainly coloured rooms, but for pixels where a ray grazes an outline: rounding decides.

    Patterns are not mirrored with their surfaces, so patterned images would differ. The width is odd, or k-means,
    whose centres follow every second pixel, would follow others.
    """
    height, width = 24, 33
    rooms = [plain(room.scene, height, width, seed) for seed, room in enumerate(draw_clean(8, height, width))]
    flipped = HorizontalFlip(p=1)(batch_of(rooms, height, width), kinds(height, width), torch.Generator())
    again = batch_of([mirrored(room) for room in rooms], height, width)
    assert share_unlike(flipped.image, again.image) < 2e-3
    for name in set(again.targets) - {"place"}:
        assert share_unlike(flipped.targets[name], again.targets[name]) < (0.02 if "segment_" in name else 2e-3), name
    assert share_unlike(-flipped.targets["normal"][:, :1], again.targets["normal"][:, :1]) > 0.3


def zoomed_cameras(
    rooms: list[Room], corner: Tensor, height: int, width: int, scale: int, pixels: tuple[int, int]
) -> Cameras:
    """A lens that sees of a height × width picture the part of 1/scale that starts at `corner`, in so many pixels."""
    cameras = Cameras.of([room.scene for room in rooms], *pixels, CPU)
    finer = pixels[1] * scale / width  # new pixels per old one
    focal = torch.tensor([width / 2 / float(room.scene.camera.tangent) for room in rooms])[:, None, None] * finer
    principal = (torch.tensor([height, width]) / 2 - corner) * finer
    y, x = torch.meshgrid(*(torch.arange(size) + 0.5 for size in pixels), indexing="ij")
    x, y = (
        (axis - middle[:, None, None]) / focal
        for axis, middle in zip((x, y), (principal[:, 1], principal[:, 0]), strict=True)
    )
    rays = torch.stack([x, y, torch.ones_like(x)], dim=-1).flatten(1, 2)
    return replace(cameras, rays=rays)


def zoom(scale: int, height: int, width: int, pixels: tuple[int, int]) -> tuple[Batch, dict[str, Tensor]]:
    """The augmented batch, and the targets that a zoom lens sees."""
    rooms = draw_clean(6, height, width)
    crop = RandomScaleCrop(scales=[scale], divide_depth="keep")
    augmented = crop(batch_of(rooms, height, width), kinds(height, width), torch.Generator().manual_seed(0))
    corner = augmented.targets["place"][:, :, 0, 0]
    assert len(corner.unique(dim=0)) > 3
    cameras = zoomed_cameras(rooms, corner, height, width, scale, pixels)
    return augmented, targets(look([room.scene for room in rooms], *pixels, cameras))


def test_twice_as_large_is_what_a_zoom_lens_sees_with_half_the_pixels() -> None:
    """Every pixel of the crop fills a block of 2×2. Exact for what is said of one pixel; not for normals, which are
    interpolated, nor for edges, key points and segments, which depend on the pixels around.
    """
    augmented, seen = zoom(2, 24, 32, (12, 16))
    for name in PER_PIXEL:
        for y, x in np.ndindex(2, 2):
            assert share_unlike(augmented.targets[name][..., y::2, x::2], seen[name]) < 2e-3, name


def test_three_times_as_large_agrees_at_the_middle_of_every_block() -> None:
    """The middle of a block of 3×3 lies where the pixel's centre was; so do normals. Elsewhere nothing is exact."""
    augmented, seen = zoom(3, 24, 33, (24, 33))
    for name in (*PER_PIXEL, "normal"):
        middle = np.s_[..., 1::3, 1::3]
        assert share_unlike(augmented.targets[name][middle], seen[name][middle]) < 2e-3, name
    assert share_unlike(augmented.targets["depth_zbuffer"], seen["depth_zbuffer"]) > 0.5
