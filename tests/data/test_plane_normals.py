"""Normals from depth, against surfaces whose normals are known."""

import numpy as np
import pytest

from mtl_bench.data.maps.plane_normals import Pinhole, plane_normals

CAMERA = Pinhole(fx=300.0, fy=310.0, cx=30.2, cy=21.7)
ROWS, COLS = np.arange(44), np.arange(60)


def rays() -> np.ndarray:
    """[3, 44, 60]; a point is its depth times its ray."""
    v, u = np.meshgrid((ROWS - CAMERA.cy) / CAMERA.fy, (COLS - CAMERA.cx) / CAMERA.fx, indexing="ij")
    return np.stack([u, v, np.ones_like(u)])


def angles(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return np.degrees(
        2 * np.arctan2(np.linalg.norm(found - expected, axis=0), np.linalg.norm(found + expected, axis=0))
    )


@pytest.mark.parametrize("normal", [(0, 0, -1), (0.3, -0.8, -0.5), (-0.6, 0.1, -0.7), (0.0, -1.0, -0.5)])
def test_a_plane_is_exact_everywhere(normal: tuple[float, float, float]) -> None:
    n = np.array(normal) / np.linalg.norm(normal)
    along = np.einsum("c,chw->hw", n, rays())
    depth = (-2.0 / along).astype(np.float32)
    depth[:3] = 0
    found = plane_normals(depth, CAMERA, ROWS, COLS)
    known = np.isfinite(found[0])
    assert known[depth > 0].mean() > 0.99
    assert not known[depth == 0].any()
    assert angles(found[:, known], np.broadcast_to(n[:, None], (3, known.sum()))).max() < 0.1


def test_a_sphere_points_outwards_and_at_the_camera() -> None:
    centre, radius = np.array([0.01, -0.02, 4.0])[:, None, None], 0.3
    ray = rays()
    a, b = (ray**2).sum(0), (ray * centre).sum(0)
    inside = b**2 - a * ((centre**2).sum(0) - radius**2)
    depth = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, 0).astype(np.float32)
    expected = (depth * ray - centre) / radius
    found = plane_normals(depth, CAMERA, ROWS, COLS, radius=1)
    known = np.isfinite(found[0]) & (expected[2] < -0.5)  # not where it curves away from view
    assert known.sum() > 200
    assert angles(found[:, known], expected[:, known]).max() < 3
    assert ((found * ray).sum(0)[known] < 0).all()


def test_a_fit_does_not_reach_over_an_edge() -> None:
    depth = np.full((44, 60), 2.0, np.float32)
    depth[:, 30:] = 3.0
    found = plane_normals(depth, CAMERA, ROWS, COLS)
    assert angles(found, np.array([0, 0, -1.0])[:, None, None]).max() < 0.05


def test_only_the_pixels_asked_for_and_none_without_enough_depths() -> None:
    depth = np.full((44, 60), 2.0, np.float32)
    depth[10:] = 0
    rows, cols = np.array([3, 9, 20]), np.array([0, 33])
    found = plane_normals(depth, CAMERA, rows, cols)
    np.testing.assert_array_equal(found, plane_normals(depth, CAMERA, ROWS, COLS)[:, rows[:, None], cols])
    assert np.isfinite(found[:, :2]).all()
    assert np.isnan(found[:, 2]).all()
    assert np.isnan(plane_normals(np.eye(44, 60, dtype=np.float32), CAMERA, rows, cols)).all()
