"""Office-Home and Office-31: every image is there once, with its class, labelled for its domain alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.benchmarks.office import Office, class_names
from mtl_bench.data.dataset import prepare
from mtl_bench.errors import BenchError
from tests.data.office_files import write_office

DOMAINS = ["Art", "Real World"]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    class_names.cache_clear()


def made(size: int = 16) -> Office:
    return Office(name="office_home", domains=DOMAINS, classes=3, size=size)


@pytest.mark.parametrize(("folders", "below"), [(DOMAINS, ""), (["Art", "RealWorld"], "images")])
def test_every_image_is_the_files(tmp_path: Path, folders: list[str], below: str) -> None:
    source = tmp_path / "source" / "OfficeHome"
    write_office(source, folders, classes=3, images=5, below=below)
    for folder in folders:
        (source / folder / below / "__MACOSX").mkdir()  # of an archive, and no class
    packed = prepare(made(), tmp_path, tmp_path / "source")
    assert packed.manifest.splits == {"train": 18, "val": 6, "test": 6}
    expected: dict[bytes, tuple[int, int]] = {}
    for column, folder in enumerate(folders):
        for path in (source / folder).rglob("*.jpg"):
            small = Image.open(path).resize((16, 16), Image.Resampling.BILINEAR)
            expected[np.asarray(small).transpose(2, 0, 1).tobytes()] = column, int(path.parent.name[-2:])
    seen = {}
    for split in packed.manifest.splits:
        arrays = packed.arrays(split)
        for image, art, world in zip(arrays["image"], arrays["Art"], arrays["Real_World"], strict=True):
            assert (art < 0) != (world < 0)
            seen[image.tobytes()] = (0, art) if art >= 0 else (1, world)
    assert seen == expected


def test_another_seed_draws_another_split(tmp_path: Path) -> None:
    write_office(tmp_path, DOMAINS, classes=3, images=5)
    other = Office(name="office_home", domains=DOMAINS, classes=3, data_seed=1)
    one, two = ([sample.name for sample in office.find(tmp_path).splits["test"]] for office in (made(), other))
    assert one != two
    assert len(one) == len(two)


def rename(folder: Path) -> None:
    (folder / "Art" / "class_01").rename(folder / "Art" / "class_07")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda folder: shutil.rmtree(folder / "Art"),
            "Art with a folder of images per class is missing; download",
        ),
        (lambda folder: shutil.rmtree(folder / "Art" / "class_01"), "holds images of 2 classes instead of 3; download"),
        (rename, "do not have the same classes; download office_home from its authors' page"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    write_office(tmp_path, DOMAINS, classes=3, images=2)
    damage(tmp_path)
    with pytest.raises(BenchError, match=said):
        prepare(made(), tmp_path / "data", tmp_path)


def test_one_domain_is_no_multi_task_problem() -> None:
    with pytest.raises(BenchError, match="needs two domains or more"):
        Office(name="office31", domains=["dslr"], classes=31)
