"""Cityscapes on real frames, where they lie beside the repository; disparity, which is not among them, is made up."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.cityscapes import Cityscapes
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.cityscapes_files import CLASSES
from tests.data.cityscapes_files import VAL, place

REAL = Path(__file__).parents[3] / "shared" / "data" / "cityscapes"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real frames in {REAL}")
AACHEN = [f"aachen_00000{number}_000019" for number in range(2)]


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def lie_on_a_road(ids: np.ndarray) -> np.ndarray:
    """Disparity of a plane below the camera, nearer further down; the sky is unknown, as in official files."""
    rows = np.arange(len(ids))[:, None]
    return np.where(ids == 23, 0, 1 + 256 * np.clip((rows - 400) / 6, 2, 100)).astype(np.uint16)


def test_the_table_of_classes_is_the_official_one() -> None:
    with (REAL / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if int(row["id"]) >= 0]
    assert [int(row["id"]) for row in rows] == list(range(34))
    assert [-1 if row["trainId"] == "255" else int(row["trainId"]) for row in rows] == list(CLASSES[19])
    categories = list(dict.fromkeys(row["category"] for row in rows))
    assert categories == ["void", "flat", "construction", "object", "nature", "sky", "human", "vehicle"]
    assert [categories.index(row["category"]) - 1 for row in rows] == list(CLASSES[7])


def test_a_published_map_of_nineteen_classes_is_reproduced() -> None:
    """But where it was made smaller in another way than the ids, at the edges of some objects."""
    folder = REAL / "small_128x256" / "gtFine" / "val" / "frankfurt"
    ids = picture(folder / "frankfurt_000000_000294_gtFine_labelIds.png")
    published = picture(folder / "frankfurt_000000_000294_gtFine_labelTrainIds.png").astype(int)
    assert (np.array(CLASSES[19])[ids] == np.where(published == 255, -1, published)).mean() > 0.997


def test_real_frames_are_packed_as_pillow_reads_them(tmp_path: Path) -> None:
    source, taken = tmp_path / "source", {}
    for split, real, name in (("train", AACHEN[0], AACHEN[0]), ("val", AACHEN[1], VAL[0])):
        for kind in ("leftImg8bit", "gtFine"):
            path = place(source, split, name, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(place(REAL, "train", real, kind))
        image, ids = (picture(place(source, split, name, kind)) for kind in ("leftImg8bit", "gtFine"))
        disparity = lie_on_a_road(ids)
        path = place(source, split, name, "disparity")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(disparity).save(path)
        taken[split] = image, ids, disparity
    for height, classes in ((128, 7), (256, 19)):
        packed = prepare(Cityscapes(height=height, classes=classes, limit=1), tmp_path, source)  # type: ignore[arg-type]
        for split, part in (("train", "train"), ("test", "val")):
            found = {name: array[0] for name, array in packed.arrays(split).items()}
            size, (image, ids, disparity) = (2 * height, height), taken[part]
            small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
            np.testing.assert_array_equal(found["image"], np.asarray(small).transpose(2, 0, 1))
            small = Image.fromarray(ids).resize(size, Image.Resampling.NEAREST)
            np.testing.assert_array_equal(found["segmentation"], np.array(CLASSES[classes])[np.asarray(small)])
            small = Image.fromarray(disparity.astype(np.int32)).resize(size, Image.Resampling.NEAREST)
            np.testing.assert_array_equal(found["depth"][0], np.asarray(small))
