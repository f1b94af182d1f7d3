"""MTAN's preprocessed folder of Cityscapes: numbers as they are, and its name on what is made of it."""

from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data import cityscapes_npy
from mtl_bench.data.cityscapes_npy import CityscapesNpy
from mtl_bench.data.dataset import prepare
from mtl_bench.errors import BenchError
from tests.data.cityscapes_files import write_mtan_cityscapes


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cityscapes_npy, "COUNTS", {"train": 3, "test": 2})


@pytest.mark.parametrize(("label", "classes"), [("label_7", 7), ("label", 7), ("label_19", 19)])
def test_every_field_is_the_files(tmp_path: Path, label: str, classes: int) -> None:
    source = tmp_path / "source"
    write_mtan_cityscapes(source, {"train": 3, "val": 2}, label, classes)
    packed = prepare(CityscapesNpy(classes=classes), tmp_path, source)  # type: ignore[arg-type]
    assert packed.manifest.splits == {"train": 3, "test": 2}
    assert packed.manifest.label == "MTAN's preprocessed copy of Cityscapes"
    for split, part in (("train", "train"), ("test", "val")):
        arrays = packed.arrays(split)
        for row in range(packed.manifest.splits[split]):
            for name in ("image", "depth"):
                stored = np.load(source / part / name / f"{row}.npy").astype(np.float32)
                np.testing.assert_array_equal(arrays[name][row], stored.transpose(2, 0, 1))
            stored = np.load(source / part / label / f"{row}.npy")
            np.testing.assert_array_equal(arrays["segmentation"][row], stored)


def test_the_folder_of_seven_comes_first(tmp_path: Path) -> None:
    write_mtan_cityscapes(tmp_path, {"train": 3, "val": 2}, "label", 19)
    write_mtan_cityscapes(tmp_path, {"train": 3, "val": 2})
    found = CityscapesNpy(val=1).find(tmp_path)
    assert found.counts == {"train": 2, "val": 1, "test": 2}
    assert {sample.files["segmentation"].parent.name for sample in found.splits["test"]} == {"label_7"}


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    write_mtan_cityscapes(tmp_path, {"train": 3, "val": 1})
    with pytest.raises(BenchError, match=r"val/image/1\.npy is missing; download the preprocessed folder again"):
        prepare(CityscapesNpy(), tmp_path / "data", tmp_path)
    write_mtan_cityscapes(tmp_path, {"val": 2})
    with pytest.raises(BenchError, match=r"train/label_19/0\.npy is missing; download the preprocessed folder again"):
        prepare(CityscapesNpy(classes=19), tmp_path / "data", tmp_path)
    np.save(tmp_path / "train" / "label_7" / "1.npy", np.full((128, 256), 7.0))
    with pytest.raises(BenchError, match=r"label_7/1\.npy holds other labels than -1 to 6; download"):
        prepare(CityscapesNpy(), tmp_path / "data", tmp_path)
    with pytest.raises(BenchError, match="classes is one of 7, 19"):
        CityscapesNpy(classes=2)  # type: ignore[arg-type]
