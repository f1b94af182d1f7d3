"""Light and shadow."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtl_bench.data.rooms.render_rooms import draw_room, render
from mtl_bench.data.rooms.scene import Scene
from tests.data.rooms_by_hand import CPU, crossings, draw_clean, make_scene, make_solid, plain, shoot, slow_cast

HEIGHT, WIDTH = 20, 27
STEEP = np.array([[0, -0.5, 3**0.5 / 2], [-1, 0, 0], [0, -(3**0.5) / 2, -0.5]])  # east, thirty degrees down
BLOCKERS = {
    "box": make_solid("box", (3, 2.2, 1.2), (0.4, 0.3, 0.05), yaw=0.4),
    "sphere": make_solid("sphere", (3.4, 2.6, 1.2), (0.6, 0.6, 0.6)),
    "cylinder": make_solid("cylinder", (3.2, 2.7, 0.9), (0.5, 0.5, 0.1)),
}


def slowly_lit(scene: Scene, height: int, width: int) -> np.ndarray:
    """Where the way to the first lamp is free and does not start into the surface."""
    slow, (lamp, *_) = slow_cast(scene, height, width), scene.lights[:, :3]
    found = np.zeros((height, width), bool)
    for index in np.ndindex(height, width):
        direction = scene.camera.rotation @ slow.rays[index]
        point, normal = (
            scene.camera.position + slow.depth[index] * direction,
            scene.camera.rotation @ slow.normal[index],
        )
        way = lamp - point
        blocked = any(hit.solid >= 0 and 1e-6 < hit.depth < 1 for hit in crossings(scene, point + 1e-4 * normal, way))
        found[index] = normal @ way > 0 and not blocked
    return found


@pytest.mark.parametrize("shape", BLOCKERS)
def test_a_blocker_darkens_just_what_the_lamp_cannot_reach(shape: str) -> None:
    scene = make_scene(BLOCKERS[shape], eye=(0.5, 2.5, 2), rotation=STEEP)
    bright = (shoot(plain(scene, HEIGHT, WIDTH))["image"] > 0).all(dim=0).numpy()
    expected = slowly_lit(scene, HEIGHT, WIDTH)
    assert 10 < (~expected).sum() < expected.size / 2
    assert (bright != expected).sum() <= 2  # a way to the lamp may graze an edge
    free = (shoot(plain(make_scene(eye=(0.5, 2.5, 2), rotation=STEEP), HEIGHT, WIDTH))["image"] > 0).all(dim=0)
    assert free.all()


def test_light_falls_off_with_the_cosine_and_the_distance() -> None:
    """An empty floor under a lamp, by hand; one colour, so ratios of linear light are ratios of irradiance."""
    scene = make_scene(eye=(0.5, 2.5, 2), rotation=STEEP)
    linear = shoot(plain(scene, HEIGHT, WIDTH))["image"].double().numpy() ** 2.2
    slow = slow_cast(scene, HEIGHT, WIDTH)
    point = scene.camera.position + slow.depth[..., None] * (slow.rays @ scene.camera.rotation.T)
    way = scene.lights[0, :3] - point
    floor = (slow.solid == -5) & (linear.max(axis=0) < 1)
    squared = (way[floor] ** 2).sum(axis=-1)
    expected = way[floor][:, 2] / squared**0.5 * 2.5 / (1 + 0.45 * squared)
    for channel in linear[:, floor]:
        np.testing.assert_allclose(channel / expected, channel[0] / expected[0], rtol=1e-3)


def test_what_hangs_flat_on_a_wall_casts_no_shadow() -> None:
    plate = BLOCKERS["box"]
    shadows = [
        shoot(plain(make_scene(solid, eye=(0.5, 2.5, 2), rotation=STEEP), HEIGHT, WIDTH))["image"].amin(dim=0) == 0
        for solid in (plate, replace(plate, flat=True))
    ]
    assert shadows[0].sum() > shadows[1].sum() + 10


def test_patterns_and_lamps_change_the_image_and_no_geometry() -> None:
    room = draw_clean(1, HEIGHT, WIDTH)[0]
    lights = room.scene.lights * [1, 1, 1, 0.5, 1, 1]
    other = replace(plain(room.scene, HEIGHT, WIDTH), scene=replace(room.scene, lights=lights))
    before, after = shoot(room), shoot(other)
    of_image = {"image", "edge_texture", "keypoints2d", "segment_unsup2d", "segment_unsup25d"}
    for name in before:
        same = before[name].nan_to_num(-1).equal(after[name].nan_to_num(-1))
        assert same == (name not in of_image), name


def test_a_room_looks_the_same_whoever_is_rendered_beside_it() -> None:
    rooms = [draw_room(0, "train", index, 48, 64) for index in range(12)]
    together = render(rooms, 48, 64, CPU)["image"]
    assert together.equal(torch.cat([render([room], 48, 64, CPU)["image"] for room in rooms]))
