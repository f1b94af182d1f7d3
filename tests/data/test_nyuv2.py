"""NYU Depth v2: the official file in miniature is read back exactly, and what is wrong with it is said."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy import io

from mtl_bench.data.benchmarks.nyuv2 import NYUv2
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.nyuv2_mat import CLASSES_40, FRAMES, SPLITS, TO_13
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import decoder
from mtl_bench.errors import BenchError
from tests.data.nyuv2_files import Frames, drawn_frames, write_mtan, write_nyuv2

TRAIN, TEST = [2, 5, 1], [4, 3]
INSIDE = np.zeros((480, 640), bool)
INSIDE[45:471, 41:601] = True


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Frames, np.ndarray]:
    folder, frames = tmp_path_factory.mktemp("nyuv2"), drawn_frames(5)
    return folder, frames, write_nyuv2(folder, frames, TRAIN, TEST)


def by_pillow(array: np.ndarray, size: tuple[int, int], how: Image.Resampling = Image.Resampling.NEAREST) -> np.ndarray:
    return np.asarray(Image.fromarray(array).resize(size[::-1], how))


@pytest.mark.parametrize(("height", "classes", "depth"), [(288, 13, "filled"), (480, 40, "raw")])
def test_every_field_is_the_files(
    tmp_path: Path, made: tuple[Path, Frames, np.ndarray], height: int, classes: int, depth: str
) -> None:
    source, frames, to_40 = made
    limit = 2 if height == 480 else None
    dataset = NYUv2(height=height, classes=classes, depth=depth, limit=limit)  # type: ignore[arg-type]
    packed = prepare(dataset, tmp_path, source)
    assert packed.manifest.splits == {"train": limit or 3, "test": 2}
    stored = frames["depths" if depth == "filled" else "rawDepths"]
    for split, numbers in (("train", TRAIN), ("test", TEST)):
        arrays = packed.arrays(split)
        assert arrays["frame"].tolist() == numbers[:limit]
        for row, number in enumerate(numbers[:limit]):
            image = by_pillow(frames["images"][number - 1], dataset.size, Image.Resampling.BILINEAR)
            np.testing.assert_array_equal(arrays["image"][row], image.transpose(2, 0, 1))
            labels = to_40[by_pillow(frames["labels"][number - 1].astype(np.int32), dataset.size)]
            labels = labels if classes == 40 else np.array([0, *TO_13])[labels]
            np.testing.assert_array_equal(arrays["segmentation"][row], labels.astype(int) - 1)
            metres = by_pillow(np.where(INSIDE, stored[number - 1], 0).astype(np.float32), dataset.size)
            np.testing.assert_array_equal(arrays["depth"][row, 0], metres)


def test_what_is_missing_is_no_label(tmp_path: Path, made: tuple[Path, Frames, np.ndarray]) -> None:
    packed = prepare(NYUv2(depth="raw", limit=1), tmp_path, made[0])
    values = decoded(packed, "depth")[0, 0]
    inside = by_pillow(INSIDE.astype(np.uint8), (288, 384)) == 1
    raw = by_pillow(made[1]["rawDepths"][TRAIN[0] - 1], (288, 384))
    np.testing.assert_array_equal(np.isnan(values), ~inside | (raw == 0))
    normal = decoded(packed, "normal")[0]
    assert np.isnan(normal[:, ~inside]).all()
    known = ~np.isnan(normal[0])
    assert known[inside & (raw > 0)].mean() > 0.99
    np.testing.assert_allclose(np.linalg.norm(normal[:, known], axis=0), 1, atol=2e-3)
    assert (normal[2, known] < 0).all()  # towards the camera


def decoded(packed: Packed, name: str) -> np.ndarray:
    import torch

    return decoder(packed.manifest.fields[name])(torch.from_numpy(np.array(packed.arrays("train")[name]))).numpy()


def test_normals_of_others(tmp_path: Path, made: tuple[Path, Frames, np.ndarray]) -> None:
    source, draw = tmp_path / "source", np.random.RandomState(2)
    write_nyuv2(source, {name: array[:2] for name, array in made[1].items()}, [2], [1])
    (source / "normals").mkdir()
    pixels = draw.randint(0, 256, (480, 640, 3)).astype(np.uint8)
    vectors = draw.normal(size=(480, 640, 3)).astype(np.float32)
    vectors[100:200] = 0
    for frame in ("0001", "0002"):
        Image.fromarray(pixels).save(source / "normals" / f"{frame}.png")
        np.save(source / "normals" / f"{frame}.npy", vectors)
    stored = prepare(NYUv2(normals="png", axes=(1, -3, 2)), tmp_path, source)
    shown = by_pillow(pixels, (288, 384)).transpose(2, 0, 1)[[0, 2, 1]]
    np.testing.assert_array_equal(stored.arrays("train")["normal"][0], shown)
    np.testing.assert_allclose(decoded(stored, "normal")[0, 1], 1 - shown[1] / 127.5, atol=1e-6)
    stored = prepare(NYUv2(normals="npy", height=480, axes=(-2, 3, 1)), tmp_path, source)
    expected = np.where((vectors == 0).all(-1, keepdims=True), np.nan, vectors).transpose(2, 0, 1)[[1, 2, 0]]
    expected[0] *= -1
    np.testing.assert_array_equal(stored.arrays("train")["normal"][0], expected)
    (source / "normals" / "0001.npy").unlink()
    with pytest.raises(BenchError, match=r"normals/0001\.npy is missing; put a npy file of normals there"):
        prepare(NYUv2(normals="npy"), tmp_path, source)


def test_validation_frames_are_held_out_of_training(tmp_path: Path, made: tuple[Path, Frames, np.ndarray]) -> None:
    found = NYUv2(val=1).find(made[0]).splits
    assert [sample.row + 1 for sample in found["test"]] == TEST
    assert sorted(sample.row + 1 for split in ("train", "val") for sample in found[split]) == sorted(TRAIN)
    assert len(found["val"]) == 1
    with pytest.raises(BenchError, match="There are 3 training samples; val=3"):
        NYUv2(val=3).find(made[0])


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def empty(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(b"")


def shorten(folder: Path) -> None:
    path = folder / FRAMES
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_axes(folder: Path) -> None:
    with h5py.File(folder / FRAMES, "a") as file:
        depths = file["depths"][:]
        del file["depths"]
        file["depths"] = depths.transpose(0, 2, 1)


def other_split(folder: Path) -> None:
    io.savemat(folder / SPLITS, {"trainNdxs": np.array([1, 2]), "testNdxs": np.array([2])})


def other_map(folder: Path) -> None:
    io.savemat(folder / CLASSES_40, {"mapClass": np.arange(894)})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove(FRAMES), "labeled.mat is missing; download .* from the NYU Depth V2 page"),
        (remove(SPLITS), "splits.mat is missing; download splits.mat from the NYU"),
        (remove(CLASSES_40), "Mapping40.mat is missing; download classMapping40.mat from github"),
        (shorten, "labeled.mat is truncated, damaged or no HDF5 file .*; download"),
        (empty(SPLITS), "splits.mat is no MATLAB file with trainNdxs and testNdxs .*; download splits.mat"),
        (empty(CLASSES_40), "Mapping40.mat is no MATLAB file with mapClass .*; download classMapping40.mat"),
        (other_axes, r"labeled.mat holds `depths` of shape \(2, 480, 640\); download"),
        (other_split, "splits.mat does not name each of the 2 frames once; download"),
        (other_map, "Mapping40.mat does not lead from 894 names to 40 classes; download"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, made: tuple[Path, Frames, np.ndarray], damage: Callable[[Path], object], said: str
) -> None:
    write_nyuv2(tmp_path / "source", {name: array[:2] for name, array in made[1].items()}, [1], [2])
    damage(tmp_path / "source")
    with pytest.raises(BenchError, match=said):
        prepare(NYUv2(), tmp_path, tmp_path / "source")
    assert not (tmp_path / "packed").exists()


def test_the_copy_of_mtan_is_not_taken_for_the_official_files(tmp_path: Path) -> None:
    write_mtan(tmp_path / "copy", {"train": 1, "val": 1})
    with pytest.raises(BenchError, match="dataset=nyuv2_npy` packs that"):
        prepare(NYUv2(), tmp_path, tmp_path / "copy")


@pytest.mark.parametrize("wrong", [{"classes": 14}, {"height": 240}, {"depth": "both"}, {"axes": (1, 2, 2)}])
def test_other_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(BenchError, match=next(iter(wrong))):
        NYUv2(**wrong)
