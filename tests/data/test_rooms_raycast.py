"""What cameras see in rooms, against a slow caster and against geometry that can be said in a line."""

import numpy as np
import pytest
import torch

from mtl_bench.data.rooms.furniture import LABEL
from mtl_bench.data.rooms.raycast import Cameras
from mtl_bench.data.rooms.render_rooms import draw_room, render
from tests.data.rooms_by_hand import CPU, EAST, draw_clean, look, make_scene, make_solid, plain, shoot, slow_cast

HEIGHT, WIDTH = 12, 16


@pytest.mark.parametrize("split", ["train", "test_shift"])
def test_every_ray_meets_what_a_slow_caster_meets(split: str) -> None:
    scenes = [draw_room(7, split, index, HEIGHT, WIDTH).scene for index in range(3)]
    seen = look(scenes, HEIGHT, WIDTH)
    depth, normal, curvature = (seen.map(part) for part in (seen.hits.depth, seen.hits.normal, seen.hits.curvature))
    centre = seen.map(seen.solids.centre.gather(1, seen.hits.owner[..., None].expand(-1, -1, 3)))
    skin = seen.map(seen.of_owner(seen.solids.skin))
    for b, scene in enumerate(scenes):
        slow = slow_cast(scene, HEIGHT, WIDTH)
        clear = ~slow.tie
        assert clear.mean() > 0.95
        owners = [
            (scene.solids[k].centre, scene.solids[k].skin) if k >= 0 else (scene.size / 2, -1 - k)
            for k in slow.solid.flat
        ]
        for found, expected in (
            (depth[b], slow.depth[..., None]),
            (normal[b], slow.normal @ scene.camera.rotation.T),
            (curvature[b], slow.curvature),
            (centre[b], np.reshape([place for place, _ in owners], (HEIGHT, WIDTH, 3))),
            (skin[b], np.reshape([skin for _, skin in owners], (HEIGHT, WIDTH, 1))),
        ):
            np.testing.assert_allclose(found.permute(1, 2, 0)[clear], expected[clear], rtol=1e-4, atol=1e-3)


def test_drawn_rooms_agree_with_themselves() -> None:
    rooms = draw_clean(16, HEIGHT, WIDTH)
    cameras = Cameras.of([room.scene for room in rooms], HEIGHT, WIDTH, CPU)
    maps = render(rooms, HEIGHT, WIDTH, CPU)
    rays = cameras.rays.transpose(1, 2).reshape(-1, 3, HEIGHT, WIDTH)
    length = rays.norm(dim=1, keepdim=True)
    torch.testing.assert_close(maps["depth_euclidean"], maps["depth_zbuffer"] * length, equal_nan=True)
    torch.testing.assert_close(maps["normal"].norm(dim=1), torch.ones(16, HEIGHT, WIDTH))
    facing = -(maps["normal"] * rays / length).sum(dim=1, keepdim=True)
    torch.testing.assert_close(maps["reshading"], facing)
    assert facing.min() > -1e-5
    assert maps["depth_zbuffer"].nan_to_num(1).min() > 0.1


@pytest.mark.parametrize(("radius", "across", "up"), [(0.5, 0, 0), (0.3, 0.6, -0.4), (1, -0.9, 0.2)])
def test_a_sphere(radius: float, across: float, up: float) -> None:
    """`across` and `up`: of its centre from the optical axis, three metres away."""
    sphere = make_solid("sphere", (3.8, 2.5 - across, 1.5 + up), (radius,) * 3)
    maps = {name: part.double().numpy() for name, part in shoot(plain(make_scene(sphere), 33, 45)).items()}
    inside = maps["segmentation"] == LABEL["objects"]
    assert inside.sum() > 10
    y, x = np.mgrid[:33, :45]
    rays = np.stack([(x - 22) / 22.5, (y - 16) / 22.5, np.ones(x.shape)])
    point = (maps["depth_zbuffer"] * rays)[:, inside] - np.array([[across], [-up], [3]])
    np.testing.assert_allclose(np.linalg.norm(point, axis=0), radius, atol=1e-5)
    np.testing.assert_allclose(maps["normal"][:, inside], point / radius, atol=1e-4)
    np.testing.assert_allclose(maps["principal_curvature"][:, inside], 1 / radius, rtol=1e-6)
    assert (maps["principal_curvature"][:, ~inside] == 0).all()
    if across == up == 0:
        assert maps["depth_zbuffer"][0, 16, 22] == pytest.approx(3 - radius)
        np.testing.assert_allclose(maps["normal"][:, 16, 22], [0, 0, -1], atol=1e-6)
        assert maps["reshading"][0, 16, 22] == pytest.approx(1)


def test_a_cylinder_is_curved_around_and_flat_on_top() -> None:
    cylinder = make_solid("cylinder", (3.8, 2.5, 0.5), (0.8, 0.8, 0.5))
    maps = shoot(plain(make_scene(cylinder), 33, 45))
    inside, normal = maps["segmentation"] == LABEL["objects"], maps["normal"]
    top = inside & (normal[1] < -0.5)
    side = inside & ~top
    assert min(top.sum(), side.sum()) > 20
    y, x = torch.meshgrid(torch.arange(33) - 16, torch.arange(45) - 22, indexing="ij")
    place = maps["depth_zbuffer"] * torch.stack([x / 22.5, y / 22.5, torch.ones(33, 45)])
    torch.testing.assert_close(place[1][top], torch.full_like(place[1][top], 0.5))  # the top lies below the eye
    torch.testing.assert_close(torch.hypot(place[0], place[2] - 3)[side], torch.full_like(place[0][side], 0.8))
    torch.testing.assert_close(normal[:, top], torch.tensor([[0.0], [-1], [0]]).expand(3, int(top.sum())))
    assert normal[1][side].abs().max() < 1e-6
    curvature = maps["principal_curvature"]
    assert (curvature[:, top] == 0).all()
    torch.testing.assert_close(curvature[:, side], torch.tensor([[1.25], [0]]).expand(2, int(side.sum())))


def test_a_turned_box_shows_three_faces() -> None:
    yaw = 0.6
    maps = shoot(plain(make_scene(make_solid("box", (3, 2.5, 0.5), (0.5, 0.3, 0.4), yaw=yaw)), 33, 45))
    inside = maps["segmentation"] == LABEL["objects"]
    cos, sin = np.cos(yaw), np.sin(yaw)
    faces = np.array([[-cos, -sin, 0], [sin, -cos, 0], [-sin, cos, 0], [0, 0, 1]]) @ EAST
    found = maps["normal"][:, inside].T.numpy()
    which = np.abs(found[:, None] - faces).max(axis=2).argmin(axis=1)
    np.testing.assert_allclose(found, faces[which], atol=1e-6)
    assert (np.bincount(which, minlength=4) > 5).sum() == 3
    assert (maps["principal_curvature"] == 0).all()


def test_an_empty_room_is_its_far_wall_floor_and_ceiling() -> None:
    maps = shoot(plain(make_scene(tangent=0.45), 33, 45))
    wall = maps["segmentation"] == LABEL["wall"]
    torch.testing.assert_close(maps["depth_zbuffer"][0][wall], torch.full((int(wall.sum()),), 5.2))
    assert (maps["edge_occlusion"] < 1e-3).all()
    assert maps["segmentation"][0, 22] == LABEL["ceiling"]
    assert maps["segmentation"][-1, 22] == LABEL["floor"]


def test_glass_is_seen_and_not_measured() -> None:
    window = make_solid("box", (6, 2.5, 1.5), (0.02, 1, 0.8), label="window", depth=False)
    maps = shoot(plain(make_scene(window, tangent=0.5), 33, 45))
    glass = maps["segmentation"] == LABEL["window"]
    assert 20 < glass.sum() < glass.numel()
    for name in ("depth_zbuffer", "depth_euclidean"):
        assert (maps[name][0].isnan() == glass).all()
    for name in set(maps) - {"depth_zbuffer", "depth_euclidean"}:
        assert maps[name].isfinite().all()
