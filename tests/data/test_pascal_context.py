"""PASCAL_MT: the official form in miniature is read back exactly, and what is wrong with it is said."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import io, ndimage

from mtl_bench.data.benchmarks.pascal_context import PascalContext
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.pascal_mt import IN_NYU, PART_OF, PARTS
from mtl_bench.errors import BenchError
from tests.data.pascal_files import Photo, write_drawn
from tests.data.test_thinning import by_hand

Made = tuple[Path, dict[str, Photo]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("pascal")
    return folder, write_drawn(folder / "PASCAL_MT", train=2, test=2)


def expected(folder: Path, name: str, photo: Photo) -> dict[str, tuple[np.ndarray, float | tuple]]:
    """By field what the files hold, decoded here, and what is around it."""
    image = np.asarray(Image.open(folder / "PASCAL_MT" / "JPEGImages" / f"{name}.jpg"))
    parts = np.full(photo.labels.shape, -1)
    if 15 in photo.kinds:
        parts[:] = 0
        for found, mask in photo.people[0]:
            parts[mask == 1] = {"head": 1, "luarm": 3, "rfoot": 6}[found]
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    curved = ndimage.convolve(photo.labels.astype(float), kernel, mode="mirror")
    known = np.isin(photo.labels, IN_NYU)[..., None]
    return {
        "image": (image.transpose(2, 0, 1), (124, 116, 104)),
        "segmentation": (np.where(photo.classes == 255, -1, photo.classes.astype(int)), -1),
        "human_parts": (parts, -1),
        "saliency": (photo.saliency / 255 > 0.5, -1),
        "normal": (np.where(known, photo.normal, 128).transpose(2, 0, 1), 128),
        "edge": (by_hand(curved != 0), -1),
    }


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_every_field_is_the_files(tmp_path: Path, made: Made, fit: str) -> None:
    folder, photos = made
    packed = prepare(PascalContext(fit=fit), tmp_path, folder)  # type: ignore[arg-type]
    assert packed.manifest.splits == {"train": 2, "test": 2}
    assert packed.manifest.label.startswith("lists of 2 train and 2 test samples instead of 4,998 train and 5,105 test")
    for row, (name, photo) in enumerate(photos.items()):
        arrays = packed.arrays("train" if row < 2 else "test")
        assert arrays["photo"][row % 2] == row % 2
        for field, (values, blank) in expected(folder, name, photo).items():
            whole = padded(values, blank) if fit == "pad" else stretched(values, smooth=field == "image")
            np.testing.assert_array_equal(arrays[field][row % 2], whole, f"{name} {field}")


def padded(values: np.ndarray, blank: float | tuple) -> np.ndarray:
    whole = np.empty((*values.shape[:-2], 512, 512), values.dtype if values.dtype != bool else int)
    whole[...] = np.reshape(blank, (-1, 1, 1)) if isinstance(blank, tuple) else blank
    height, width = values.shape[-2:]
    top, left = (512 - height) // 2, (512 - width) // 2
    whole[..., top : top + height, left : left + width] = values
    return whole


def stretched(values: np.ndarray, smooth: bool) -> np.ndarray:
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    planes = values if values.ndim == 3 else values[None]
    small = [np.asarray(Image.fromarray(plane.astype(np.uint8)).resize((512, 512), how)) for plane in planes]
    return np.stack(small).astype(np.int8 if values.ndim == 2 else np.uint8).reshape(*values.shape[:-2], 512, 512)


def test_the_24_parts_are_those_of_the_paper() -> None:
    assert len(PART_OF) == sum(len(names.split()) for names in PARTS.values()) == 24
    assert {PART_OF[name] for name in ("hair", "torso", "ruarm", "lhand", "luleg", "rfoot")} == set(range(1, 7))
    assert len(IN_NYU) == len(set(IN_NYU)) == 170
    assert max(IN_NYU) <= 459


def test_later_parts_cover_earlier_ones_and_other_objects_have_none(tmp_path: Path, made: Made) -> None:
    arrays = prepare(PascalContext(), tmp_path, made[0]).arrays("train")
    assert sorted(np.unique(arrays["human_parts"][0])) == [-1, 0, 1, 3, 6]  # of a photo of 333 × 500
    assert arrays["human_parts"][0, 89 + 55, 6 + 55] == 3  # arm over head
    assert (arrays["human_parts"][1] == -1).all()  # a dog


def test_photos_held_out(made: Made) -> None:
    found = PascalContext(val=1).find(made[0]).splits
    assert {split: len(samples) for split, samples in found.items()} == {"train": 1, "val": 1, "test": 2}


def spoil(*parts: str, content: bytes = b"no") -> Callable[[Path], object]:
    return lambda root: root.joinpath(*parts).write_bytes(content)


def remove(*parts: str) -> Callable[[Path], object]:
    return lambda root: root.joinpath(*parts).unlink()


def unknown_part(root: Path) -> None:
    path = root / "human_parts" / "2008_000000.mat"
    anno = io.loadmat(path)["anno"]
    anno[0, 0][1][0, 0][3][0, 0][0] = "wing"
    io.savemat(path, {"anno": anno})


def too_large(root: Path) -> None:
    Image.new("RGB", (520, 300)).save(root / "JPEGImages" / "2008_000000.jpg")


def another_label(root: Path) -> None:
    Image.fromarray(np.full((333, 500), 21, np.uint8)).save(root / "semseg" / "VOC12" / "2008_000000.png")


DAMAGES = {
    r"Context/val\.txt is missing; download PASCAL_MT\.tgz": remove("ImageSets", "Context", "val.txt"),
    r"sal_distill/2008_000003\.png is missing; download": remove("sal_distill", "2008_000003.png"),
    r"semseg/pascal-context/2008_000000\.png is missing; download": remove("semseg", "VOC12", "2008_000000.png"),
    r"000\.jpg is no picture .*; download": spoil("JPEGImages", "2008_000000.jpg"),
    r"000\.mat is no MATLAB file with LabelMap .*; download": spoil("pascal-context", "trainval", "2008_000000.mat"),
    r"000\.mat is no MATLAB file of PASCAL-Part's structure .*; download": spoil("human_parts", "2008_000000.mat"),
    r"000\.mat is no MATLAB file of PASCAL-Part's structure \('wing'\); download": unknown_part,
    r"000\.jpg has 520×300 pixels; download": too_large,
    r"000\.png holds other labels than 0 to 20 and 255; download": another_label,
}


@pytest.mark.parametrize("said", DAMAGES)
def test_what_is_wrong_is_said(tmp_path: Path, made: Made, said: str) -> None:
    shutil.copytree(made[0] / "PASCAL_MT", tmp_path / "source")
    DAMAGES[said](tmp_path / "source")
    with pytest.raises(BenchError, match=said):
        prepare(PascalContext(), tmp_path, tmp_path / "source")


def test_another_fit_is_refused() -> None:
    with pytest.raises(BenchError, match="fit is one of pad, stretch; got 'crop'"):
        PascalContext(fit="crop")  # type: ignore[arg-type]
