"""Rooms rendered on CUDA are those rendered on the CPU."""

import pytest
import torch

from mtl_bench.data.rooms.render_rooms import draw_room, render

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SEGMENTS = ("segment_unsup2d", "segment_unsup25d")  # one pixel that joins another segment moves its mean a little
PER_PIXEL = ("segmentation", "depth_euclidean", "depth_zbuffer", "normal", "principal_curvature", "reshading")


def test_cuda_renders_what_the_cpu_renders() -> None:
    """To 1e-4, but for pixels where a ray grazes an outline and those that filters reach from there."""
    rooms = [draw_room(0, "train", index, 96, 128) for index in range(16)]
    cpu, cuda = (render(rooms, 96, 128, torch.device(device)) for device in ("cpu", "cuda"))
    for name, expected in cpu.items():
        close, bar = 1e-2 if name in SEGMENTS else 1e-4, 2e-3 if name in PER_PIXEL else 0.02
        found = cuda[name].cpu()
        assert found.dtype == expected.dtype
        unlike = ~torch.isclose(found, expected, atol=close, rtol=1e-4, equal_nan=True)
        assert unlike.double().mean() < bar, name


def test_cuda_renders_the_same_twice() -> None:
    rooms = [draw_room(0, "val", index, 48, 64) for index in range(8)]
    first, second = (render(rooms, 48, 64, torch.device("cuda")) for _ in range(2))
    for name in ("image", "segmentation", "depth_zbuffer", "normal", "edge_occlusion"):
        assert first[name].nan_to_num(-1).equal(second[name].nan_to_num(-1)), name
