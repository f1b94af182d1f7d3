"""MTAN's preprocessed folder: numbers as they are, invalid ones as no label, and its name on what is made of it."""

from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.benchmarks import nyuv2_npy
from mtl_bench.data.benchmarks.nyuv2_npy import NYUv2Npy
from mtl_bench.data.dataset import prepare
from mtl_bench.errors import BenchError
from tests.data.nyuv2_files import write_mtan


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nyuv2_npy, "COUNTS", {"train": 3, "test": 2})


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_every_field_is_the_files(tmp_path: Path, kind: type) -> None:
    source = tmp_path / "source"
    write_mtan(source, {"train": 3, "val": 2}, kind)
    packed = prepare(NYUv2Npy(), tmp_path, source)
    assert packed.manifest.splits == {"train": 3, "test": 2}
    assert packed.manifest.label == "MTAN's preprocessed copy of NYUv2"
    for split, part in (("train", "train"), ("test", "val")):
        arrays = packed.arrays(split)
        for row in range(packed.manifest.splits[split]):
            stored = {name: np.load(source / part / name / f"{row}.npy") for name in ("image", "label", "depth")}
            for name in ("image", "depth"):
                expected = stored[name].astype(np.float32).transpose(2, 0, 1)
                np.testing.assert_array_equal(arrays[name][row], expected)
            np.testing.assert_array_equal(arrays["segmentation"][row], stored["label"])
            normal = np.load(source / part / "normal" / f"{row}.npy").astype(np.float32).transpose(2, 0, 1)
            normal[:, :5] = np.nan
            np.testing.assert_array_equal(arrays["normal"][row], normal)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    write_mtan(tmp_path, {"train": 3, "val": 1})
    with pytest.raises(BenchError, match=r"val/image/1\.npy is missing; download the preprocessed folder again"):
        prepare(NYUv2Npy(), tmp_path / "data", tmp_path)
    write_mtan(tmp_path, {"val": 2})
    np.save(tmp_path / "train" / "label" / "1.npy", np.full((288, 384), 13.0))
    with pytest.raises(BenchError, match=r"label/1\.npy holds other labels than -1 to 12; download"):
        prepare(NYUv2Npy(), tmp_path / "data", tmp_path)
    np.save(tmp_path / "train" / "label" / "1.npy", np.full((128, 256), 12.0))
    with pytest.raises(BenchError, match=r"shape \(128, 256\) instead of \(288, 384\); download"):
        prepare(NYUv2Npy(), tmp_path / "data", tmp_path)
