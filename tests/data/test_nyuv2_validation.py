"""Held-out frames of NYUv2: as many as asked for, or those that LibMTL published."""

from pathlib import Path

import pytest

from mtl_bench.data.benchmarks.nyuv2_npy import COUNTS, FOLDERS
from mtl_bench.data.benchmarks.nyuv2_validation import LIBMTL, nyuv2_held_out
from mtl_bench.data.formats.mtan_npy import npy_samples
from mtl_bench.errors import BenchError

EXPECTED = npy_samples(Path("folder"), FOLDERS, COUNTS)


def test_published_frames() -> None:
    splits = nyuv2_held_out(EXPECTED, "libmtl", 0)
    assert {split: len(samples) for split, samples in splits.items()} == {"train": 636, "val": 159, "test": 654}
    assert tuple(sample.row for sample in splits["val"]) == LIBMTL
    assert {sample.row for sample in splits["train"]} == set(range(795)) - set(LIBMTL)


def test_drawn_frames() -> None:
    first, again, other = (nyuv2_held_out(EXPECTED, 159, seed)["val"] for seed in (0, 0, 1))
    assert len(first) == 159
    assert first == again != other
    assert nyuv2_held_out(EXPECTED, 0, 0) == EXPECTED


def test_what_cannot_be_held_out() -> None:
    with pytest.raises(BenchError, match="val is a number of training frames or `libmtl`, got 'forkmerge'"):
        nyuv2_held_out(EXPECTED, "forkmerge", 0)  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="among 795 training frames; here are 3"):
        nyuv2_held_out({**EXPECTED, "train": EXPECTED["train"][:3]}, "libmtl", 0)
