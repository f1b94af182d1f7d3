"""PASCAL_MT on real photos and labels, where they lie beside the repository: put into the official form, and read."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.benchmarks.pascal_context import PascalContext
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.pascal_mt import IN_NYU, PART_OF, PARTS, PERSON
from tests.data.pascal_files import Photo, write_pascal
from tests.data.test_pascal_context import padded
from tests.data.test_thinning import by_hand

REAL = Path(__file__).parents[3] / "shared" / "data" / "pascal"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real photos in {REAL}")


def test_the_tables_are_the_published_ones() -> None:
    nyu, context = (json.loads((REAL / "db_info" / f"{name}_classes.json").read_text()) for name in ("nyu", "context"))
    shared = {context[name] for name in nyu if name in context and name != "unknown"} | {context["tvmonitor"]}
    assert sorted(shared) == list(IN_NYU)
    assert set(json.loads((REAL / "db_info" / "pascal_part.json").read_text())[str(PERSON)]) == set(PART_OF)


def photos() -> dict[str, Photo]:
    """Every photo with the labels that are there of it; the others are blank. Normals are made of the image."""
    colours = np.load(REAL / "db_info" / "pascal_map.npy")[:60, :3].astype(int)
    found = {}
    for path in sorted(REAL.glob("*/JPEGImages/*.jpg")):
        image = np.asarray(Image.open(path))
        picture = np.asarray(Image.open(path.parents[1] / "labels" / f"{path.stem}.png"))
        kind, nothing = path.parents[1].name, np.zeros(image.shape[:2], np.uint8)
        labels = nothing.astype(np.uint16)
        if kind == "context":
            labels = (picture[:, :, None] == colours).all(-1).argmax(-1).astype(np.uint16)
        painted = picture if kind == "human_parts" else nothing
        people = [(PARTS[part].split()[0], (painted == part).astype(np.uint8)) for part in PARTS]
        found[path.stem] = Photo(
            image=image,
            labels=labels,
            classes=picture if kind == "voc" else nothing,
            people=[[(name, mask) for name, mask in people if mask.any()]],
            kinds=[PERSON],
            normal=image,
            saliency=image.mean(-1).astype(np.uint8),
        )
    return found


def test_every_field_is_what_numpy_and_pillow_read(tmp_path: Path) -> None:
    made = photos()
    names = sorted(made)
    write_pascal(tmp_path / "raw", {"train": names[:6], "val": names[6:]}, made)
    packed = prepare(PascalContext(), tmp_path / "data", tmp_path / "raw")
    for at, name in enumerate(names):
        arrays = {field: array[at % 6] for field, array in packed.arrays("train" if at < 6 else "test").items()}
        photo = made[name]
        image = np.asarray(Image.open(tmp_path / "raw" / "JPEGImages" / f"{name}.jpg")).transpose(2, 0, 1)
        np.testing.assert_array_equal(arrays["image"], padded(image, (124, 116, 104)))
        classes = np.where(photo.classes == 255, -1, photo.classes.astype(int))
        np.testing.assert_array_equal(arrays["segmentation"], padded(classes, -1))
        parts = np.zeros(photo.classes.shape, int)
        for part, mask in photo.people[0]:
            parts[mask == 1] = PART_OF[part]
        np.testing.assert_array_equal(arrays["human_parts"], padded(parts if parts.any() else parts - 1, -1))
        np.testing.assert_array_equal(arrays["saliency"], padded(photo.saliency >= 128, -1))
        known = np.isin(photo.labels, IN_NYU)
        normal = np.where(known, photo.normal.transpose(2, 0, 1), 128)
        np.testing.assert_array_equal(arrays["normal"], padded(normal, 128))
        between = np.pad(photo.labels.astype(int), 1, mode="reflect")
        around = between[:-2, 1:-1] + between[2:, 1:-1] + between[1:-1, :-2] + between[1:-1, 2:]
        np.testing.assert_array_equal(arrays["edge"], padded(by_hand(around != 4 * photo.labels.astype(int)), -1))
