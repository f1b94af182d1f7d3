"""What a hundred rooms look like in numbers."""

import numpy as np
import pytest

from mtl_bench.data.rooms.furniture import CLASSES
from mtl_bench.data.rooms.render_rooms import render_split
from tests.data.rooms_by_hand import CPU

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return render_split(0, "test", 100, 48, 64, CPU)


def test_classes_are_all_there_with_a_long_tail(arrays: Arrays) -> None:
    label = arrays["segmentation"]
    counts = np.bincount(label[label >= 0], minlength=len(CLASSES))
    assert counts.min() > 0
    assert counts.max() >= 10 * counts.min()
    assert counts.max() / counts.sum() < 0.5  # a constant answer is a poor one
    assert 0.05 <= (label < 0).mean() <= 0.15


def test_some_depth_is_unknown_and_depth_varies(arrays: Arrays) -> None:
    depth = arrays["depth_zbuffer"].astype(float)
    assert 0.01 < np.isnan(depth).mean() < 0.15
    assert np.nanmin(depth) > 0.2
    assert np.nanmax(depth) < 12
    assert (np.isnan(depth) == np.isnan(arrays["depth_euclidean"])).all()
    assert np.nanmin(arrays["depth_euclidean"] - depth) >= -0.01


def test_round_things_are_curved(arrays: Arrays) -> None:
    first, second = (arrays["principal_curvature"][:, channel].astype(float) for channel in range(2))
    assert 0.02 < (first > 0).mean() < 0.3
    assert 0 < (second > 0).mean() < (first > 0).mean()
    assert ((second == 0) | (second == first)).all()
    assert first.max() < 10  # 1/m


def test_edges_of_texture_are_not_edges_of_occlusion(arrays: Arrays) -> None:
    """0.24 over a thousand rooms, by 0.02 more or less over a hundred."""
    texture, occlusion = (arrays[name].astype(float).ravel() for name in ("edge_texture", "edge_occlusion"))
    assert 0 < np.corrcoef(texture, occlusion)[0, 1] < 0.3


def test_no_target_is_a_constant_map_plus_little(arrays: Arrays) -> None:
    """The mean over rooms, pixel by pixel, explains less than half of what varies."""
    for name, array in arrays.items():
        if name not in ("image", "segmentation"):
            values = array.astype(float)
            left = np.nanvar(values - np.nanmean(values, axis=0)) / np.nanvar(values)
            assert left > 0.5, name
