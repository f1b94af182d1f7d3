"""Rooms on other processors: other last bits, the same pictures, the same identity."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.dataset import prepare
from mtl_bench.data.packed import Packed
from mtl_bench.data.rooms import Rooms

ROOMS = {"train": 40, "val": 1, "test": 1, "shift": 8}
# What libraries of linear algebra, convolution and tensors use on an old processor.
OLD = {"MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}
PACK = "from pathlib import Path; from tests.data.test_rooms_processors import pack; pack(Path({!r}))"
SEGMENTS = ("segment_unsup2d", "segment_unsup25d")  # one pixel that joins another segment moves its mean a little
STEPS = {"uint8": 1, "int8": 1}  # of the stored integers: a value between two of them rounds either way
MEANS = {  # of the stored numbers of four rooms
    "image": 178.40,
    "segmentation": 5.6045,
    "depth_euclidean": 3.7023,
    "depth_zbuffer": 3.3128,
    "normal": -20.011,
    "edge_occlusion": 0.088489,
    "edge_texture": 0.18696,
    "principal_curvature": 0.065517,
    "reshading": 0.64527,
    "keypoints2d": 0.21058,
    "keypoints3d": 0.19963,
    "segment_unsup2d": 0.70024,
    "segment_unsup25d": 0.70023,
}


def pack(folder: Path) -> Packed:
    return prepare(Rooms(**ROOMS), folder)


@pytest.mark.slow
def test_an_old_processor_renders_the_same_rooms(tmp_path: Path) -> None:
    code = PACK.format(str(tmp_path / "old"))
    subprocess.run([sys.executable, "-c", code], env=os.environ | OLD, cwd=Path(__file__).parents[2], check=True)
    here, old = pack(tmp_path / "here"), pack(tmp_path / "old")
    assert old.digest == here.digest
    for split in here.manifest.splits:
        arrays = old.arrays(split)
        for name, array in here.arrays(split).items():
            other, exact = arrays[name].astype(np.float64), array.astype(np.float64)
            step = STEPS.get(str(array.dtype), 2e-3 * (1 + np.abs(exact)))
            unlike = ~(np.abs(other - exact) <= step) & ~(np.isnan(other) & np.isnan(exact))
            assert unlike.mean() < (0.01 if name in SEGMENTS else 1e-3), name


def test_what_is_drawn_is_the_identity_everywhere(tmp_path: Path) -> None:
    """Literals: where they change, `Rooms.revision` has to be raised, or runs on other rooms would share a board."""
    packed = prepare(Rooms(train=4, val=1, test=1, shift=1, height=16, width=16), tmp_path)
    assert packed.digest == "5585b572128fe1e79063865cbf708c38f5cfb913f1403b7cb0e4adb5399e3cb9"
    assert packed.digest != packed.manifest.bytes_digest
    means = {name: np.nanmean(array.astype(np.float64)) for name, array in packed.arrays("train").items()}
    assert means == pytest.approx(MEANS, rel=1e-3)
