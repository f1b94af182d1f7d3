"""Counts of a packed dataset, by hand."""

from collections.abc import Mapping
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_bench.data.contents import class_shares, correlation, labelled_share
from mtl_bench.data.encoding import base
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.errors import BenchError

FIELDS = {
    "image": Field("uint8", (3, 1, 2), "uint8/255"),
    "region": Field("int8", (1, 2), "class"),
    "renamed": Field("uint8", (1, 2), {"name": "class", "ignore": [255], "ids": [2, 0]}),
    "far": Field("float16", (1, 1, 2), "float", "m"),
    "near": Field("uint8", (1, 1, 2), {"name": "number", "scale": 2, "invalid": 255}),
    "flat": Field("float16", (1, 1, 2), "float"),
}


@pytest.fixture
def made(tmp_path: Path) -> Packed:
    rows: Mapping[str, Any] = {
        "region": [[0, 0], [1, -1], [3, 0]],
        "renamed": [[0, 1], [255, 1], [1, 1]],
        "far": [[1, 2], [3, nan], [5, 4]],
        "near": [[9, 8], [7, 0], [255, 6]],
        "flat": [[1, 1], [1, 1], [1, 1]],
    }
    arrays = {
        name: np.array(rows.get(name, np.zeros((3, *field.shape)))).reshape(3, *field.shape).astype(field.dtype)
        for name, field in FIELDS.items()
    }
    empty = {name: array[:0] for name, array in arrays.items()}
    write_packed(tmp_path / "made", "made", {"train": arrays, "val": empty}, FIELDS, "by hand", {})
    return Packed.open(tmp_path / "made")


@pytest.mark.parametrize("together", [1, 1 << 20])
def test_shares_are_of_all_elements_however_many_are_looked_at(
    made: Packed, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "PIECE", together)
    assert class_shares(made, "train", "region", 5) == pytest.approx([3 / 6, 1 / 6, 0, 1 / 6, 0])
    assert labelled_share(made, "train", "region") == pytest.approx(5 / 6)


def test_shares_are_of_classes_not_of_what_is_stored(made: Packed) -> None:
    assert class_shares(made, "train", "renamed", 3) == pytest.approx([4 / 6, 0, 1 / 6])  # 255 is no label


def test_labels_of_numbers(made: Packed) -> None:
    assert labelled_share(made, "train", "far") == pytest.approx(5 / 6)
    assert labelled_share(made, "train", "near") == pytest.approx(5 / 6)
    assert labelled_share(made, "train", "flat") == 1


def test_correlation_over_what_both_know(made: Packed) -> None:
    """Of far 1, 2, 3, 4 and near 4.5, 4, 3.5, 3, the rest has no label in one of them."""
    assert correlation(made, "train", "far", "near") == pytest.approx(-1)
    assert correlation(made, "train", "far", "far") == pytest.approx(1)


def test_one_value_correlates_with_nothing(made: Packed) -> None:
    assert isnan(correlation(made, "train", "far", "flat"))


def test_an_empty_split_has_no_shares(made: Packed) -> None:
    assert isnan(labelled_share(made, "val", "far"))
    assert np.isnan(class_shares(made, "val", "region", 2)).all()


def test_what_cannot_be_counted(made: Packed) -> None:
    with pytest.raises(BenchError, match="holds no classes"):
        class_shares(made, "train", "far", 3)
    with pytest.raises(BenchError, match="`region` of made holds class 3 of 2"):
        class_shares(made, "train", "region", 2)
    with pytest.raises(BenchError, match="has no field `depth`; it has image, region"):
        labelled_share(made, "train", "depth")
    with pytest.raises(BenchError, match="has no split `test`"):
        labelled_share(made, "test", "far")
    with pytest.raises(BenchError, match="no elements in common"):
        correlation(made, "train", "region", "far")
