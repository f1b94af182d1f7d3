"""Taskonomy on real views, where they lie beside the repository."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.taskonomy_files import COUNTS, list_path, read_buildings
from mtl_bench.data.formats.taskonomy_maps import MAPS
from mtl_bench.data.official import Packing
from mtl_bench.data.packed import Packed
from mtl_bench.data.taskonomy import ELEVEN, Taskonomy

REAL = Path(__file__).parents[3] / "shared" / "data" / "taskonomy"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real views in {REAL}")
UNSUPERVISED = ("segment_unsup2d", "segment_unsup25d")


def picture(component: str, view: str, task: str, side: int = 256) -> np.ndarray:
    stored = Image.open(REAL / component / task / f"{view}_domain_{task}.png")
    how = Image.Resampling.BILINEAR if task == "rgb" else Image.Resampling.NEAREST
    return np.asarray(stored.resize((side, side), how)).astype(np.int64)


def test_the_official_lists_are_read() -> None:
    for split in COUNTS:
        path = list_path(REAL, split)
        assert b"\n" not in path.read_bytes()
        buildings = dict(read_buildings(path, split))
        assert len(buildings) == sum(COUNTS[split])
        assert {buildings[name] for name in ("ihlen", "muleshoe", "uvalda", "noxapater", "mcdade")} == {"test"}


def prepared(component: str, root: Path, **arguments: object) -> Packed:
    """What is incomplete is left out."""
    dataset = Taskonomy(building=component, **arguments)  # type: ignore[arg-type]
    return prepare(dataset, root, REAL / component, partial(dataset.pack, packing=Packing(on_error="skip")))


@pytest.mark.parametrize(
    ("component", "view", "tasks"),
    [
        ("taskonomy", "point_202_view_5", [task for task in ELEVEN if task not in UNSUPERVISED]),
        ("replica", "point_47_view_25", [task for task in ELEVEN if task != "depth_euclidean"]),
    ],
)
def test_real_views_are_packed_as_pillow_reads_them(
    tmp_path: Path, component: str, view: str, tasks: list[str]
) -> None:
    packed = prepared(component, tmp_path, tasks=tasks)
    found = {name: array[0] for name, array in packed.arrays("train").items()}
    np.testing.assert_array_equal(found["image"], picture(component, view, "rgb").transpose(2, 0, 1))
    missing = picture(component, view, "depth_zbuffer") == 65535
    for task in tasks:
        shown, stored = picture(component, view, task), found[task]
        shown = shown.transpose(2, 0, 1)[: len(stored)] if shown.ndim == 3 else shown[None]
        np.testing.assert_array_equal(stored[:, ~missing], shown[:, ~missing], err_msg=task)
        blank = MAPS[task].blank
        np.testing.assert_array_equal(stored[:, missing], shown[:, missing] if blank is None else blank, err_msg=task)


def test_tasks_without_depth_need_no_mask(tmp_path: Path) -> None:
    """One of the two views has no depth."""
    packed = prepared("taskonomy", tmp_path, tasks=["normal", "reshading"], mask="none")
    assert packed.manifest.splits == {"train": 2}
    assert packed.arrays("train")["view"].tolist() == [[0, 202, 5], [0, 21, 2]]
    for row, view in enumerate(("point_202_view_5", "point_21_view_2")):
        np.testing.assert_array_equal(
            packed.arrays("train")["normal"][row], picture("taskonomy", view, "normal").transpose(2, 0, 1)
        )


def test_normals_face_the_camera_and_floors_look_up(tmp_path: Path) -> None:
    packed = prepared("hm3d", tmp_path, tasks=["depth_zbuffer", "normal"])
    assert packed.manifest.splits == {"train": 2, "val": 1, "test": 1}
    stored = np.concatenate([packed.arrays(split)["normal"] for split in packed.manifest.splits])
    normal = packed.manifest.fields["normal"].encoding.decode(torch.from_numpy(stored)).numpy()
    known = ~np.isnan(normal[:, 0])
    lengths = np.linalg.norm(normal, axis=1)[known]
    assert 0.98 < lengths.mean() < 1.01
    assert (normal[:, 2][known] < 0).mean() > 0.8  # towards the camera: z points away from it
    assert np.nanmean(normal[:, 1, 235:]) < -0.4  # floors look up: y points down
    assert np.nanmean(normal[:, 1, :20]) > 0.4  # ceilings look down
