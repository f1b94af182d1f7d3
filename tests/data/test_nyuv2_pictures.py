"""Copies of NYUv2 whose columns are pictures: rows and folders alike, as Pillow reads them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats import hub_copy
from mtl_bench.data.formats.nyuv2_mat import TO_13
from mtl_bench.data.nyuv2_pictures import NYUv2Jagennath, NYUv2Pictures, NYUv2Wyrx
from mtl_bench.errors import BenchError
from tests.data.hub_files import pa, pictures, write_shards

Frames = dict[str, list[np.ndarray]]
KINDS = {
    "nyuv2_jagennath": (NYUv2Jagennath, {"train": 3, "val": 1, "test": 1}, ("rgb", "semantic", "depth")),
    "nyuv2_wyrx": (NYUv2Wyrx, {"train": 3, "teset": 2}, ("image", "label", "depth")),
}
INSIDE = np.zeros((480, 640), bool)
INSIDE[45:471, 41:601] = True


def drawn(name: str, count: int, seed: int) -> Frames:
    draw = np.random.RandomState(seed)
    classes = [draw.randint(0, 41, (480, 640)) for _ in range(count)]
    scale = 65535 / 40 if name == "nyuv2_jagennath" else 1
    kind = np.uint16 if name == "nyuv2_jagennath" else np.uint8
    return {
        "image": [draw.randint(0, 256, (480, 640, 3)).astype(np.uint8) for _ in range(count)],
        "classes": classes,
        "stored": [np.rint(one * scale).astype(kind) for one in classes],
        "depth": [draw.randint(0, 10000, (480, 640)).astype(np.uint16) for _ in range(count)],
    }


def write_copy(folder: Path, name: str, as_rows: bool, counts: dict[str, int] | None = None) -> dict[str, Frames]:
    _, usual, columns = KINDS[name]
    written = {}
    for seed, (split, count) in enumerate((counts or usual).items()):
        written[split] = frames = drawn(name, count, seed)
        named = dict(zip(columns, (frames["image"], frames["stored"], frames["depth"]), strict=True))
        if as_rows:
            rows = {column: pictures(arrays) for column, arrays in named.items()}
            write_shards(folder / "data", split, {"id": pa.array(range(count)), **rows}, 1)
            continue
        for column, arrays in named.items():
            (folder / split / column).mkdir(parents=True, exist_ok=True)
            for row, array in enumerate(arrays):
                Image.fromarray(array).save(folder / split / column / f"{row + 9}.png", compress_level=1)
    return written


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (_, counts, _) in KINDS.items():
        for split, count in counts.items():
            ours = split.replace("teset", "test")
            monkeypatch.setitem(hub_copy.COPIES[name].counts, ours, count)  # type: ignore[arg-type]


def by_pillow(array: np.ndarray, size: tuple[int, int], how: Image.Resampling = Image.Resampling.NEAREST) -> np.ndarray:
    return np.asarray(Image.fromarray(array).resize(size[::-1], how))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("as_rows", "height", "classes"), [(True, 288, 13), (False, 480, 40)])
def test_every_field_is_the_pictures(tmp_path: Path, name: str, as_rows: bool, height: int, classes: int) -> None:
    written = write_copy(tmp_path / "source", name, as_rows)
    kind: type[NYUv2Pictures] = KINDS[name][0]
    dataset = kind(height=height, classes=classes)  # type: ignore[arg-type]
    packed = prepare(dataset, tmp_path, tmp_path / "source")
    assert packed.manifest.label == hub_copy.COPIES[name].variant
    assert list(packed.manifest.splits) == [split.replace("teset", "test") for split in written]
    for part, frames in written.items():
        arrays = packed.arrays(part.replace("teset", "test"))
        assert arrays["frame"].tolist() == list(range(len(frames["image"])))
        for row, image in enumerate(frames["image"]):
            image = by_pillow(image, dataset.size, Image.Resampling.BILINEAR)
            np.testing.assert_array_equal(arrays["image"][row], image.transpose(2, 0, 1))
            labels = by_pillow(frames["classes"][row].astype(np.int32), dataset.size)
            labels = labels if classes == 40 else np.array([0, *TO_13])[labels]
            np.testing.assert_array_equal(arrays["segmentation"][row], labels - 1)
            depth = by_pillow(np.where(INSIDE, frames["depth"][row], 0).astype(np.int32), dataset.size)
            np.testing.assert_array_equal(arrays["depth"][row, 0], depth)


def test_the_official_split_is_not_jagennaths() -> None:
    assert "not of the official split" in hub_copy.COPIES["nyuv2_jagennath"].variant
    assert "val" not in NYUv2Jagennath().parameters
    assert "val" in NYUv2Wyrx().parameters


@pytest.mark.parametrize(
    ("name", "column", "array", "said"),
    [
        ("nyuv2_jagennath", "semantic", np.full((480, 640), 820, np.uint16), "holds 820 in `semantic`, no class times"),
        ("nyuv2_wyrx", "label", np.full((480, 640), 41, np.uint8), "holds the label 41, and classes go from 1 to 40"),
        ("nyuv2_wyrx", "depth", np.zeros((480, 640), np.uint8), "holds depth of 8 bits, and millimetres need 16"),
        ("nyuv2_wyrx", "image", np.zeros((425, 560, 3), np.uint8), r"holds image of the shape \(425, 560, 3\) instead"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, column: str, array: np.ndarray, said: str) -> None:
    write_copy(tmp_path, name, as_rows=False)
    Image.fromarray(array).save(tmp_path / "train" / column / "9.png")
    with pytest.raises(BenchError, match=f"9.png {said}.*; download it again from huggingface.co/datasets/"):
        prepare(KINDS[name][0](limit=1), tmp_path, tmp_path)


def test_a_missing_picture_is_said(tmp_path: Path) -> None:
    write_copy(tmp_path, "nyuv2_wyrx", as_rows=False)
    (tmp_path / "teset" / "depth" / "10.png").unlink()
    with pytest.raises(BenchError, match=r"teset/depth/10.png is missing; download it again from hugg"):
        prepare(NYUv2Wyrx(), tmp_path, tmp_path)


def test_names_of_pictures_are_no_pictures(tmp_path: Path) -> None:
    names = pa.array([{"bytes": None, "path": "0.png"}], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    for split in ("train", "teset"):
        write_shards(tmp_path, split, dict.fromkeys(("image", "label", "depth"), names), 1)
    with pytest.raises(BenchError, match="holds a picture's name and not its bytes; download"):
        prepare(NYUv2Wyrx(limit=1), tmp_path, tmp_path)
