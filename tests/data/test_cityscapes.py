"""Cityscapes: official files in miniature are read back exactly, and what is wrong with them is said."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_bench.data.benchmarks import cityscapes
from mtl_bench.data.benchmarks.cityscapes import Cityscapes
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.cityscapes_files import CLASSES
from mtl_bench.data.official import Packing
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import decoder
from mtl_bench.errors import BenchError
from tests.data.cityscapes_files import CAMERA, TRAIN, VAL, Frame, place, write_cityscapes, write_frame

ONE_PIXEL = CAMERA["extrinsic"]["baseline"] * CAMERA["intrinsic"]["fx"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Frame]]:
    folder = tmp_path_factory.mktemp("cityscapes")
    return folder, write_cityscapes(folder)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cityscapes, "COUNTS", {"train": len(TRAIN), "val": len(VAL)})


def by_pillow(array: np.ndarray, size: tuple[int, int], how: Image.Resampling = Image.Resampling.NEAREST) -> np.ndarray:
    return np.asarray(Image.fromarray(array).resize(size[::-1], how))


def decoded(packed: Packed, split: str, name: str) -> np.ndarray:
    return decoder(packed.manifest.fields[name])(torch.from_numpy(np.array(packed.arrays(split)[name]))).numpy()


@pytest.mark.parametrize(("height", "classes", "limit"), [(128, 7, None), (256, 19, None), (1024, 19, 1)])
def test_every_field_is_the_files(
    tmp_path: Path, made: tuple[Path, dict[str, Frame]], height: int, classes: int, limit: int | None
) -> None:
    source, frames = made
    dataset = Cityscapes(height=height, classes=classes, limit=limit)  # type: ignore[arg-type]
    packed = prepare(dataset, tmp_path, source)
    assert packed.manifest.splits == {"train": limit or len(TRAIN), "test": limit or len(VAL)}
    for split, names in (("train", TRAIN[:limit]), ("test", VAL[:limit])):
        arrays, depth = packed.arrays(split), decoded(packed, split, "depth")
        for row, name in enumerate(names):
            frame = frames[name]
            image = by_pillow(frame["image"], dataset.size, Image.Resampling.BILINEAR)
            np.testing.assert_array_equal(arrays["image"][row], image.transpose(2, 0, 1))
            ids = by_pillow(frame["ids"], dataset.size)
            np.testing.assert_array_equal(arrays["segmentation"][row], np.array(CLASSES[classes])[ids])
            stored = by_pillow(frame["disparity"].astype(np.int32), dataset.size)
            np.testing.assert_array_equal(arrays["depth"][row, 0], stored)
            pixels = np.where(stored > 0, (stored - 1) / 256, np.nan)
            np.testing.assert_array_equal(depth[row, 0], (pixels / 256).astype(np.float32))
    assert packed.arrays("test")["frame"][0].tolist() == [18, 0, 294]  # frankfurt, after eighteen others


def test_metres(tmp_path: Path, made: tuple[Path, dict[str, Frame]]) -> None:
    packed = prepare(Cityscapes(depth="metres"), tmp_path, made[0])
    stored = by_pillow(made[1][TRAIN[0]]["disparity"].astype(np.int32), (128, 256)).astype(float)
    with np.errstate(divide="ignore"):
        expected = np.where(stored > 1, ONE_PIXEL * 256 / (stored - 1), np.nan)
    np.testing.assert_allclose(decoded(packed, "train", "depth")[0, 0], expected, rtol=1e-6)


def test_the_numbers_of_classes_are_the_official_ones() -> None:
    assert {classes: (len(ids), max(ids) + 1) for classes, ids in CLASSES.items()} == {7: (34, 7), 19: (34, 19)}


def test_archives_may_be_unpacked_into_folders_of_their_own(tmp_path: Path, made: tuple[Path, dict]) -> None:
    for kind in ("leftImg8bit", "gtFine", "disparity"):
        (tmp_path / f"{kind}_trainvaltest").mkdir()
        (tmp_path / f"{kind}_trainvaltest" / kind).symlink_to(made[0] / kind)
    (tmp_path / "a_trainextra" / "leftImg8bit" / "train_extra").mkdir(parents=True)
    assert Cityscapes().find(tmp_path).counts == {"train": 4, "test": 2}


def test_validation_frames_are_held_out_of_training(made: tuple[Path, dict]) -> None:
    found = Cityscapes(val=1).find(made[0]).splits
    assert [sample.name for sample in found["test"]] == VAL
    assert sorted(sample.name for split in ("train", "val") for sample in found[split]) == TRAIN
    assert len(found["val"]) == 1
    with pytest.raises(BenchError, match="There are 4 training samples; val=4"):
        Cityscapes(val=4).find(made[0])


def test_what_is_missing_is_said_or_left_out(
    tmp_path: Path, made: tuple[Path, dict[str, Frame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cityscapes(tmp_path / "source", TRAIN[:2], VAL[:1])
    gone = place(tmp_path / "source", "train", TRAIN[1], "disparity")
    gone.unlink()
    with pytest.raises(BenchError, match=r"aachen_000001_000019_disparity.png is missing; download disparity_train"):
        prepare(Cityscapes(), tmp_path, tmp_path / "source")
    place(tmp_path / "source", "train", TRAIN[1], "disparity").write_bytes(b"")
    inventory = Cityscapes().find(tmp_path / "source")
    assert [len(inventory.lost[split]) for split in ("train", "test")] == [3, 1]
    assert "aachen_000001_000019_disparity.png is empty" in inventory.lost["train"][0]
    assert inventory.lost["train"][1].startswith("Frame 3 of 4 of `train` has no file in")
    assert inventory.lost["test"][0].startswith("Frame 2 of 2 of `val` has no file in")
    assert [row.missing for row in inventory.tallies] == [2, 2, 2, 1, 1, 1]
    dataset = Cityscapes()
    dataset.pack(tmp_path / "packed", tmp_path, tmp_path / "source", Packing(on_error="skip"))
    packed = Packed.open(tmp_path / "packed")
    assert packed.manifest.splits == {"train": 1, "test": 1}
    assert packed.manifest.label == "4 samples left out as missing or unreadable"


def eight_bits(folder: Path, name: str) -> None:
    path = place(folder, "train", name, "disparity")
    Image.fromarray(np.zeros((1024, 2048), np.uint8)).save(path)


def another_size(folder: Path, name: str) -> None:
    Image.fromarray(np.zeros((512, 1024), np.uint8)).save(place(folder, "train", name, "gtFine"))


def other_labels(folder: Path, name: str) -> None:
    Image.fromarray(np.full((1024, 2048), 255, np.uint8)).save(place(folder, "train", name, "gtFine"))


def shorten(folder: Path, name: str) -> None:
    path = place(folder, "train", name, "leftImg8bit")
    path.write_bytes(path.read_bytes()[:5000])


def break_chunk(folder: Path, name: str) -> None:
    path = place(folder, "train", name, "leftImg8bit")
    content = bytearray(path.read_bytes())
    second = content.index(b"IDAT", content.index(b"IDAT") + 4)
    content[second : second + 4] = bytes(4)
    path.write_bytes(content)


def no_baseline(folder: Path, name: str) -> None:
    place(folder, "train", name, "camera").write_text(json.dumps({"intrinsic": {"fx": 2262.52}}))


def flat(folder: Path, name: str) -> None:
    camera = {**CAMERA, "extrinsic": {"baseline": 0}}
    place(folder, "train", name, "camera").write_text(json.dumps(camera))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (eight_bits, "disparity.png has 8 bits per pixel, and disparity needs its 16; download disparity_trainvaltest"),
        (another_size, r"labelIds.png has the shape \(512, 1024\) instead of \(1024, 2048\); download gtFine"),
        (other_labels, "labelIds.png holds the label 255; download gtFine_trainvaltest"),
        (shorten, r"leftImg8bit.png is truncated, damaged or no picture \(.*\); download leftImg8bit_trainvaltest"),
        (break_chunk, r"leftImg8bit.png is truncated, damaged or no picture \(broken PNG.*\); download leftImg8bit"),
        (no_baseline, r"camera.json is no camera file with extrinsic.baseline and intrinsic.fx .*; download camera"),
        (flat, "camera.json holds a baseline or focal length that is not above 0; download camera_trainvaltest"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, made: tuple[Path, dict[str, Frame]], damage: Callable[[Path, str], None], said: str
) -> None:
    for split, name in (("train", TRAIN[0]), ("val", VAL[0])):
        write_frame(tmp_path / "source", split, name, made[1][name])
    damage(tmp_path / "source", TRAIN[0])
    with pytest.raises(BenchError, match=said):
        prepare(Cityscapes(depth="metres", limit=1), tmp_path, tmp_path / "source")


def test_a_type_that_is_missing_is_said(tmp_path: Path, made: tuple[Path, dict]) -> None:
    for kind in ("leftImg8bit", "gtFine"):
        (tmp_path / kind).symlink_to(made[0] / kind)
    with pytest.raises(BenchError, match=r"/disparity is missing; download disparity_trainvaltest.zip \(3.5 GB\) from"):
        prepare(Cityscapes(limit=1), tmp_path, tmp_path)


def test_an_empty_folder_is_told_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"holds no official file; download leftImg8bit_trainvaltest.zip \(11 GB\)"):
        prepare(Cityscapes(), tmp_path, tmp_path)


@pytest.mark.parametrize("wrong", [{"classes": 8}, {"height": 64}, {"depth": "disparity"}])
def test_other_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(BenchError, match=next(iter(wrong))):
        Cityscapes(**wrong)
