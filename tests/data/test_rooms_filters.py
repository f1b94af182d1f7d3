"""Edges, corners and segments: on pictures whose answer is known, and against slow ones on rooms."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.data.rooms.filters import corners, segments, sobel
from mtl_bench.data.rooms.scene import FACES
from mtl_bench.data.rooms.targets import GRID, JUMP, targets
from tests.data.rooms_by_hand import draw_clean, look, make_scene, make_solid, shoot

HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def rooms() -> list[dict[str, Tensor]]:
    return [shoot(room) for room in draw_clean(4, HEIGHT, WIDTH)]


def slow_sobel(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    return correlate(image, kernel, mode="nearest"), correlate(image, kernel.T, mode="nearest")


def slow_corners(channels: np.ndarray) -> np.ndarray:
    """Eigenvalues of the mean structure tensor of each 5×5 window, cut at the border."""
    gradients = np.stack([slow_sobel(channel) for channel in channels])
    found = np.zeros(channels.shape[1:])
    for y, x in np.ndindex(found.shape):
        window = gradients[:, :, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        tensor = np.einsum("caij,cbij->ab", window, window) / window[0, 0].size
        found[y, x] = max(0, np.linalg.eigvalsh(tensor)[0]) ** 0.5
    return found


def test_sobel_is_the_slope_of_a_ramp() -> None:
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    dx, dy = sobel(torch.stack([3 * x - 2 * y, 0 * x + 5])[None])
    inner = np.s_[0, :, 1:-1, 1:-1]
    torch.testing.assert_close(dx[inner], torch.tensor([3.0, 0])[:, None, None].expand(2, 6, 7))
    torch.testing.assert_close(dy[inner], torch.tensor([-2.0, 0])[:, None, None].expand(2, 6, 7))


def test_corners_are_where_a_checker_has_them() -> None:
    y, x = torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")
    checker, edge, slanted = ((y < 10) ^ (x < 12)), x < 12, x + y < 22
    found = corners(torch.stack([checker, edge, slanted])[:, None].float())[:, 0]
    assert found[0].max() > 0.15
    assert found[0][9:11, 11:13].min() > 0.9 * found[0].max()
    assert found[0][:5].max() < 1e-3
    assert found[1].max() < 1e-3
    assert found[2][3:-3, 3:-3].max() < 1e-3


def test_texture_and_corners_of_the_image_agree_with_slow_ones(rooms: list[dict[str, Tensor]]) -> None:
    """Without sensor noise the image is the render that targets are made of."""
    for maps in rooms:
        grey = maps["image"].double().mean(dim=0).numpy()
        steep = np.hypot(*slow_sobel(grey))
        np.testing.assert_allclose(maps["edge_texture"][0], np.minimum(3 * steep, 1), atol=1e-5)
        np.testing.assert_allclose(maps["keypoints2d"][0], np.minimum(6 * slow_corners(grey[None]), 1), atol=1e-4)


def test_corners_of_the_geometry_agree_with_slow_ones() -> None:
    seen = look([room.scene for room in draw_clean(4, HEIGHT, WIDTH)], HEIGHT, WIDTH)
    found, depth = targets(seen), seen.map(seen.hits.depth)
    for normal, here, corner in zip(found["normal"], depth, found["keypoints3d"], strict=True):
        shape = torch.cat([0.8 * normal, here.log()]).double().numpy()
        np.testing.assert_allclose(corner[0], np.minimum(1.5 * slow_corners(shape), 1), atol=1e-3)


def test_occlusion_is_the_gap_behind_the_tangent_plane() -> None:
    """Pixel by pixel in 3-D: how far the neighbour lies behind where its ray meets this pixel's tangent plane."""
    seen = look([room.scene for room in draw_clean(4, HEIGHT, WIDTH)], HEIGHT, WIDTH)
    found = targets(seen)
    parts = (seen.map(seen.hits.depth), found["normal"], seen.map(seen.cameras.rays), found["edge_occlusion"])
    for depth, normal, ray, edge in zip(*(part.double().numpy() for part in parts), strict=True):
        gap = np.zeros((HEIGHT, WIDTH))
        for y, x in np.ndindex(gap.shape):
            for there in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
                if not (0 <= there[0] < HEIGHT and 0 <= there[1] < WIDTH):
                    continue
                here, slope = depth[0, y, x], normal[:, y, x] @ ray[:, *there]
                plane = normal[:, y, x] @ (here * ray[:, y, x]) / slope if abs(slope) > 1e-6 else -1
                if plane > 0:
                    gap[y, x] = max(gap[y, x], (depth[0, *there] - plane) / here)
        np.testing.assert_allclose(edge[0], np.minimum(gap / JUMP, 1), atol=1e-3)


def test_a_slanted_wall_is_no_occlusion_and_the_outline_of_a_ball_is() -> None:
    seen = look([make_scene(), make_scene(make_solid("sphere", (3, 2.5, 1.5), (0.5,) * 3))], 33, 45)
    empty, ball = targets(seen)["edge_occlusion"][:, 0]
    assert empty.max() < 1e-3
    inside = seen.map(seen.hits.owner)[1, 0] >= len(FACES)
    neighbours = F.avg_pool2d(F.pad(inside.float(), (1, 1, 1, 1))[None], 3, stride=1, divisor_override=1)[0]
    outline = inside & (neighbours < 9)
    assert ball[~inside].max() < 1e-3  # the edge belongs to the ball, not to the wall behind
    assert (ball == 1).sum() > 20
    assert not (ball == 1)[~outline].any()
    assert ball[inside & (neighbours < 7)].min() == 1


def test_segments_are_few_and_have_the_mean_colour_of_their_pixels(rooms: list[dict[str, Tensor]]) -> None:
    for maps in rooms:
        colour = maps["image"].flatten(1).T
        for name in ("segment_unsup2d", "segment_unsup25d"):
            values, member = maps[name].flatten(1).T.unique(dim=0, return_inverse=True)
            assert 5 <= len(values) <= GRID[0] * GRID[1]
            means = torch.stack([colour[member == segment].mean(dim=0) for segment in range(len(values))])
            torch.testing.assert_close(values, means, atol=1e-5, rtol=0)
            torch.testing.assert_close(maps[name].mean(dim=(1, 2)), colour.mean(dim=0), atol=1e-5, rtol=0)


def test_geometry_moves_segments(rooms: list[dict[str, Tensor]]) -> None:
    assert all(not maps["segment_unsup2d"].equal(maps["segment_unsup25d"]) for maps in rooms)


def test_segments_stop_at_a_line_of_colour() -> None:
    """Black and white halves whose line crosses the cells that k-means starts from."""
    image = (torch.arange(40) < 19).float().expand(1, 3, 16, 40)
    y, x = torch.meshgrid(torch.arange(16) / 40, torch.arange(40) / 40, indexing="ij")
    features = torch.cat([image, torch.stack([x, y])[None]], dim=1)
    torch.testing.assert_close(segments(features, image, (4, 5), 3), image)


def test_maps_stay_in_range(rooms: list[dict[str, Tensor]]) -> None:
    for name in ("edge_occlusion", "edge_texture", "keypoints2d", "keypoints3d", "reshading", "segment_unsup2d"):
        together = torch.stack([maps[name] for maps in rooms])
        assert together.min() > -1e-5, name
        assert together.max() <= 1 + 1e-6, name
        assert together.std() > 0.03, name
