"""NYU Depth v2 on real frames, where they lie beside the repository: put into a file of the official form, and read."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import io

from mtl_bench.data.benchmarks.nyuv2 import CAMERA, NYUv2
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.nyuv2_mat import CLASSES_40, SPLITS, TO_13, read_class_ids, read_splits
from mtl_bench.data.maps.plane_normals import plane_normals
from tests.data.nyuv2_files import drawn_frames, write_nyuv2

REAL = Path(__file__).parents[3] / "shared" / "data" / "nyuv2"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real frames in {REAL}")


def picture(*parts: str) -> np.ndarray:
    return np.asarray(Image.open(REAL.joinpath(*parts)))


def test_the_thirteen_classes_are_those_of_the_published_maps() -> None:
    names = sorted(path.name for path in (REAL / "seg13" / "test").iterdir())
    assert names
    for name in names:
        found = np.array([0, *TO_13])[picture("seg40", "test", name)]
        np.testing.assert_array_equal(found, picture("seg13", "test", name))
    published = io.loadmat(REAL / "meta" / "class13Mapping.mat")["classMapping13"][0, 0][0]
    assert published.ravel().tolist() == list(TO_13)


def test_the_official_tables_are_read() -> None:
    splits = read_splits(REAL / "meta" / SPLITS, 1449)
    assert {split: len(frames) for split, frames in splits.items()} == {"train": 795, "test": 654}
    ids = read_class_ids(REAL / "meta" / CLASSES_40, 40)
    assert (len(ids), ids[0], set(ids)) == (895, -1, set(range(-1, 40)))
    with tarfile.open(REAL / "meta" / "nyuv2_test_class40.tgz") as maps:
        named = {int(name.rpartition("_")[2][:4]) for name in maps.getnames() if name.endswith(".png")}
    assert named == set(splits["test"].tolist())


def test_real_frames_are_packed_as_pillow_reads_them(tmp_path: Path) -> None:
    names = ["0001", "0464"]
    image = np.stack([picture("image", "test", f"{name}.png") for name in names])
    labels = np.stack([picture("seg40", "test", f"{name}.png") for name in names])
    depths = np.stack([np.load(REAL / "depth" / "test" / "0001.npy"), picture("depth", "test", "0464.png") / 5000])
    frames = {"images": image, "labels": labels.astype(np.uint16)}
    frames |= {"depths": depths.astype(np.float32), "rawDepths": depths.astype(np.float32)}
    write_nyuv2(tmp_path, frames, [1], [2])
    io.savemat(tmp_path / CLASSES_40, {"mapClass": np.minimum(np.arange(1, 895), 40)})  # they are class numbers already
    packed = prepare(NYUv2(classes=40), tmp_path / "data", tmp_path)
    for row, split in enumerate(("train", "test")):
        found = {name: array[0] for name, array in packed.arrays(split).items()}
        small = Image.fromarray(image[row]).resize((384, 288), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(found["image"], np.asarray(small).transpose(2, 0, 1))
        classes = np.asarray(Image.fromarray(labels[row]).resize((384, 288), Image.Resampling.NEAREST))
        np.testing.assert_array_equal(found["segmentation"], classes.astype(int) - 1)
        metres = np.zeros((480, 640), np.float32)
        metres[45:471, 41:601] = depths[row][45:471, 41:601]
        small = Image.fromarray(metres).resize((384, 288), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(found["depth"][0], np.asarray(small))


def test_real_normals_are_packed_as_they_are(tmp_path: Path) -> None:
    stored = picture("normal", "test", "0433.png")
    (tmp_path / "normals").mkdir()
    for name in ("0001", "0002"):
        Image.fromarray(stored).save(tmp_path / "normals" / f"{name}.png")
    write_nyuv2(tmp_path, drawn_frames(2), [1], [2])
    dataset = NYUv2(normals="png", axes=(1, -3, 2), height=480)
    packed = prepare(dataset, tmp_path / "data", tmp_path)
    found = packed.arrays("test")["normal"]
    np.testing.assert_array_equal(found[0], stored.transpose(2, 0, 1)[[0, 2, 1]])
    decoded = dataset.fields["normal"].encoding.decode(torch.from_numpy(np.array(found)))[0]
    known = ~decoded[0].isnan()
    assert 0.5 < known.float().mean() < 0.95  # not in the frame around it
    assert (decoded[2, known] < 0.1).float().mean() > 0.97  # towards the camera: z points away from it
    assert decoded[1, 400:, :][~decoded[1, 400:, :].isnan()].mean() < -0.6  # the floor looks up: y points down


def test_normals_of_a_real_frame_point_at_the_camera() -> None:
    depth = np.load(REAL / "depth" / "test" / "0001.npy")
    rows, cols = np.arange(0, 480, 8), np.arange(0, 640, 8)
    right, down, away = plane_normals(depth, CAMERA, rows, cols)
    assert np.isfinite(away).mean() > 0.9
    towards = right * (cols - CAMERA.cx) / CAMERA.fx + down * (rows[:, None] - CAMERA.cy) / CAMERA.fy + away
    assert (towards[np.isfinite(away)] < 0).all()
