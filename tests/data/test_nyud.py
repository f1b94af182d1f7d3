"""NYUD-MT: every form in miniature is read back exactly, framed as asked, and what is wrong with it is said."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.benchmarks.nyud import NYUD
from mtl_bench.data.dataset import prepare
from mtl_bench.errors import BenchError
from tests.data.nyud_files import FORMS, KINDS, Frame, write, write_nyud

TRAIN, TEST = ["0003", "0001"], ["0002"]
BOX = (slice(45, 470), slice(41, 601))
INNER = (slice(11, 436), slice(8, 568))  # where 425 × 560 lies in 448 × 576


@pytest.fixture(scope="module", params=FORMS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, Frame]]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, write_nyud(folder, request.param, TRAIN, TEST)


def expected(form: str, folder: Path, name: str, frame: Frame) -> dict[str, tuple[np.ndarray, float | tuple]]:
    """By field what the file holds, decoded here, and what stands where the file holds nothing."""
    endings = dict(zip(KINDS, FORMS[form][0], strict=True))
    vectors = frame["normals"]
    if endings["normals"] != ".npy":
        vectors = np.asarray(Image.open(folder / "normals" / f"{name}{endings['normals']}")).astype(np.float32)
        vectors = vectors * np.float32(2) / np.float32(255) - 1
    length = np.sqrt((vectors.astype(np.float64) ** 2).sum(-1, keepdims=True))
    vectors = np.where(abs(length - 1) <= 0.5, vectors, np.nan)
    image = np.asarray(Image.open(folder / "images" / f"{name}{endings['images']}"))
    return {
        "image": (image.transpose(2, 0, 1), (124, 116, 104)),
        "segmentation": (frame["segmentation"].astype(int) - 1, -1),
        "depth": (frame["depth"][None], 0),
        "normal": (vectors.transpose(2, 0, 1).astype(np.float16), np.nan),
        "edge": (frame["edge"], -1),
    }


@pytest.mark.parametrize("asked", ["full", "cropped"])
def test_every_field_is_the_files(tmp_path: Path, made: tuple[str, Path, dict[str, Frame]], asked: str) -> None:
    form, folder, frames = made
    dataset = NYUD(frame=asked)  # type: ignore[arg-type]
    packed = prepare(dataset, tmp_path, folder)
    for split, names in (("train", TRAIN), ("test", TEST)):
        arrays = packed.arrays(split)
        assert arrays["place"].tolist() == list(range(len(names)))
        for row, name in enumerate(names):
            for field, (values, blank) in expected(form, folder, name, frames[name]).items():
                whole = np.empty((*values.shape[:-2], *dataset.size), values.dtype if field != "normal" else np.float16)
                whole[...] = np.reshape(blank, (-1, 1, 1)) if isinstance(blank, tuple) else blank
                if FORMS[form][1] == dataset.size:
                    whole = values
                elif asked == "full":
                    whole[(..., *BOX)] = values
                else:
                    whole[(..., *INNER)] = values[(..., *BOX)] if FORMS[form][1] == (480, 640) else values
                np.testing.assert_array_equal(arrays[field][row], whole, field)
    assert packed.manifest.label.endswith("lists of 2 train and 1 test samples instead of 795 train and 654 test")
    said = {
        ("invpt", "full"): "put into full ones",
        ("invpt", "cropped"): "frames of 425×560",
        ("astmt", "full"): "lists",
    }
    assert said.get((form, asked), "cropped to" if asked == "cropped" else "lists") in packed.manifest.label


def test_what_is_no_unit_vector_is_no_normal(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_nyud(source, "invpt", ["a"], ["b"])
    pixels = np.full((425, 560, 3), 128, np.uint8)  # grey: none
    pixels[100:200], pixels[200:300, :, 2] = 0, 0  # black: none; the rest points at the camera
    Image.fromarray(pixels).save(source / "normals" / "a.png")
    normal = prepare(NYUD(frame="cropped"), tmp_path, source).arrays("train")["normal"][0]
    known = np.zeros((448, 576), bool)
    known[211:311, 8:568] = True
    np.testing.assert_array_equal(~np.isnan(normal), np.broadcast_to(known, normal.shape))
    assert (normal[2, known] == -1).all()


def test_axes_turn_normals(tmp_path: Path) -> None:
    source = tmp_path / "source"
    frames = write_nyud(source, "vandenhende", ["a"], ["b"])
    normal = prepare(NYUD(axes=(1, -3, 2)), tmp_path, source).arrays("train")["normal"][0]
    stored = frames["a"]["normals"].transpose(2, 0, 1).astype(np.float16)
    np.testing.assert_array_equal(normal[:, 9:], np.stack([stored[0], -stored[2], stored[1]])[:, 9:])


def test_a_folder_in_the_folder_and_frames_held_out(tmp_path: Path) -> None:
    write_nyud(tmp_path / "NYUD_MT", "invpt", ["a", "b", "c"], ["d"])
    found = NYUD(val=1).find(tmp_path).splits
    assert {split: len(samples) for split, samples in found.items()} == {"train": 2, "val": 1, "test": 1}
    with pytest.raises(BenchError, match="There are 3 training samples; val=3"):
        NYUD(val=3).find(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_without_a_file_leaves_the_others(tmp_path: Path, kind: str) -> None:
    write_nyud(tmp_path, "invpt", ["a", "b"], ["c"])
    ending = FORMS["invpt"][0][KINDS.index(kind)]
    (tmp_path / kind / f"a{ending}").unlink()
    found = NYUD().find(tmp_path)
    assert [sample.name for sample in found.splits["train"]] == ["b"]
    assert [len(lost) for lost in found.lost.values()] == [1]
    assert f"{kind}/a{ending} is missing" in found.lost["train"][0]
    assert found.variant.startswith("frames of 425×560, put into full ones")


def remove(*parts: str) -> Callable[[Path], None]:
    return lambda folder: folder.joinpath(*parts).unlink()


def spoil(kind: str, name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / kind / name).write_bytes(content)


def change(kind: str, name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: write(folder / kind / name, kind, array)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_nyud(folder, "invpt", ["a"], ["b"])
    return folder


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (remove("gt_sets", "val.txt"), r"val\.txt is missing; download NYUD_MT\.tgz"),
    (remove("depth", "b.npy"), r"depth/b\.npy is missing; download NYUD_MT\.tgz"),
    (remove("images", "a.png"), r"images/a\.png is missing; download NYUD_MT\.tgz"),
    (spoil("gt_sets", "train.txt", b"a\na\n"), r"train\.txt names something twice; download"),
    (spoil("gt_sets", "val.txt", b"b\na\n"), r"val\.txt names a, which train\.txt names too; download"),
    (spoil("gt_sets", "val.txt", b"\n"), r"val\.txt names nothing; download"),
    (spoil("edge", "a.png", b"no"), r"edge/a\.png is no picture .*; download"),
    (spoil("depth", "a.npy", b"no"), r"depth/a\.npy is no file of its kind .*; download"),
    (change("images", "a.png", np.zeros((240, 320, 3))), r"a\.png has 320×240 pixels instead of 640×480 or 560×425; d"),
    (change("segmentation", "a.png", np.full((425, 560), 41)), r"a\.png holds other labels than 0 to 40; download"),
    (change("depth", "a.npy", np.ones((480, 640))), r"a\.npy has the shape \(480, 640\), its image \(425, 560\); d"),
    (change("normals", "a.png", np.zeros((425, 560))), r"a\.png holds normals of shape \(425, 560\); download"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=[said for _, said in DAMAGES])
def test_what_is_wrong_is_said(tmp_path: Path, whole: Path, damage: Callable[[Path], object], said: str) -> None:
    shutil.copytree(whole, tmp_path / "source")
    damage(tmp_path / "source")
    with pytest.raises(BenchError, match=said):
        prepare(NYUD(frame="cropped"), tmp_path, tmp_path / "source")


@pytest.mark.parametrize("wrong", [{"frame": "half"}, {"axes": (1, 2, 2)}])
def test_other_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(BenchError, match=next(iter(wrong))):
        NYUD(**wrong)
