"""Surface normals from a depth map: a plane fitted around every pixel."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

LEAST = 0.25  # share of a window that must lie on the surface
GAP = 0.05  # share of its distance by which a point of the same surface differs at most: 10 cm at 2 m
FLAT = 1e-10  # determinant over squared trace of the scatter of pixels on one line, which hold no plane


@dataclass(frozen=True)
class Pinhole:
    """A camera: focal lengths and principal point in pixels, the first pixel's centre being 0."""

    fx: float
    fy: float
    cx: float
    cy: float


def plane_normals(
    depth: Float32[np.ndarray, "height width"],
    camera: Pinhole,
    rows: Int64[np.ndarray, "h"],
    cols: Int64[np.ndarray, "w"],
    radius: int = 7,
) -> Float32[np.ndarray, "3 h w"]:
    """Unit normals at pixels (rows[i], cols[j]), in the camera's frame (x right, y down, z away), towards the camera.

    A plane n·X = d, seen at X = z (u, v, 1) with u = (column - cx) / fx and v = (row - cy) / fy, has the inverse depth
    1/z = a u + b v + c with (a, b, c) = n / d, linear in the picture. That is fitted by least squares to the pixels of
    a window, `radius` to each side, that have a depth (above 0) within `GAP` of the middle one's, so that no fit
    reaches over an edge. The normal is -(a, b, c) scaled to length 1: it points at the camera, since 1/z is positive.
    NaN where the pixel has no depth or fewer than `LEAST` of the window take part.
    """
    padded = np.pad(depth.astype(np.float64), radius)
    middle = depth[np.ix_(rows, cols)].astype(np.float64)
    u, v = np.arange(-radius, radius + 1) / camera.fx, np.arange(-radius, radius + 1) / camera.fy  # from the middle
    sums = np.zeros((9, len(rows), len(cols)))  # of 1, u, v, uu, uv, vv, q, uq, vq with q = 1/z
    for i, dv in enumerate(v):
        line = np.zeros((5, len(rows), len(cols)))
        for j, du in enumerate(u):
            z = padded[np.ix_(rows + i, cols + j)]
            taken = (z > 0) & (np.abs(z - middle) <= GAP * middle)
            inverse = np.divide(1.0, z, out=np.zeros_like(z), where=taken)
            line += np.stack([taken, du * taken, du * du * taken, inverse, du * inverse])
        one, along, square, q, uq = line
        sums += np.stack([one, along, dv * one, square, dv * along, dv * dv * one, q, uq, dv * q])
    known = (middle > 0) & (sums[0] >= LEAST * (2 * radius + 1) ** 2)
    return _directions(sums, known, (cols - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy)


def _directions(
    sums: Float[np.ndarray, "9 h w"], known: np.ndarray, u: Float[np.ndarray, "w"], v: Float[np.ndarray, "h"]
) -> Float32[np.ndarray, "3 h w"]:
    """Solves the three normal equations of every pixel, whose (a, b) follow from centred sums."""
    n = np.maximum(sums[0], 1.0)
    mean_u, mean_v, mean_q = sums[1] / n, sums[2] / n, sums[6] / n
    uu, uv, vv = sums[3] / n - mean_u**2, sums[4] / n - mean_u * mean_v, sums[5] / n - mean_v**2
    uq, vq = sums[7] / n - mean_u * mean_q, sums[8] / n - mean_v * mean_q
    determinant = uu * vv - uv**2
    known = known & (determinant > FLAT * (uu + vv) ** 2)
    safe = np.where(known, determinant, 1.0)
    a, b = (vv * uq - uv * vq) / safe, (uu * vq - uv * uq) / safe
    c = mean_q - a * (mean_u + u) - b * (mean_v + v[:, None])
    normal = -np.stack([a, b, c])
    length = np.linalg.norm(normal, axis=0)
    known &= length > 0
    return np.where(known, normal / np.where(known, length, 1.0), np.nan).astype(np.float32)
