"""Metrics of the mean picture, by hand, for every form of output."""

from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_bench.data import mean_prediction as module
from mtl_bench.data.mean_prediction import mean_prediction
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.errors import BenchError
from mtl_bench.tasks import BinaryClassification, Classification, Depth, Edges, Segmentation
from mtl_bench.tasks.encodings import Log

Make = Callable[..., Packed]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Training and test targets of one field, pixel by pixel."""

    def made(field: Field, train: list[Any], test: list[Any]) -> Packed:
        fields = {"image": Field("uint8", (3, 1, 2), "uint8/255"), "target": field}
        arrays = {
            split: {
                "image": np.zeros((len(rows), 3, 1, 2), np.uint8),
                "target": np.array(rows).reshape(len(rows), *field.shape).astype(field.dtype),
            }
            for split, rows in (("train", train), ("test", test))
        }
        write_packed(tmp_path / "made", "made", arrays, fields, "by hand", {})
        return Packed.open(tmp_path / "made")

    return made


DEPTH = Field("float32", (1, 1, 2), "float", "m", "depth")


def test_yes_or_no_per_sample_is_the_share_that_says_yes(make: Make) -> None:
    """Three in four labelled training samples say yes, so the answer to all is yes."""
    packed = make(Field("int8", (), "class"), [1, 1, 0, 1, -1], [1, 0, -1])
    found = mean_prediction(packed, "target", BinaryClassification())
    assert found["accuracy"] == 50
    assert found["cross_entropy"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)


@pytest.mark.parametrize("together", [1, 2, 100])
def test_depths_are_means_over_the_samples_that_know(
    make: Make, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The means are 2 and 6; on test 1, 0 (no depth), 3 and 8 are off by 1, 1 and 2."""
    monkeypatch.setattr(module, "BATCH", together)
    packed = make(DEPTH, [[1, 6], [3, nan]], [[1, nan], [3, 8]])
    found = mean_prediction(packed, "target", Depth())
    assert found["abs_err"] == pytest.approx(4 / 3)
    assert found["rel_err"] == pytest.approx((1 + 1 / 3 + 2 / 8) / 3)


def test_the_mean_is_one_in_the_units_of_the_head(make: Make) -> None:
    """Of log 2 and log 8 it is log 4, so 1 and 7 are predicted as 3, two from 5."""
    packed = make(DEPTH, [[1, 1], [7, 7]], [[5, 5]])
    assert mean_prediction(packed, "target", Depth(encoding=Log(top=10)))["abs_err"] == pytest.approx(2)


def test_what_the_task_calls_missing_is_left_out(make: Make) -> None:
    """A depth of 0 is none."""
    packed = make(DEPTH, [[1, 2], [0, 4]], [[2, 3]])
    assert mean_prediction(packed, "target", Depth())["abs_err"] == pytest.approx(0.5)


def test_the_most_frequent_class_of_a_pixel_wins(make: Make) -> None:
    field = Field("int8", (1, 2), "class")
    packed = make(field, [[0, 1], [0, 1], [2, -1], [1, 2]], [[0, 1], [0, 2], [1, 1], [-1, 1]])
    found = mean_prediction(packed, "target", Segmentation(3))
    assert found["pixel_accuracy"] == pytest.approx(100 * 5 / 7)


def test_the_most_frequent_class_of_a_sample_wins(make: Make) -> None:
    packed = make(Field("int8", (), "class"), [0, 1, 1, -1], [0, 1, 1, 1])
    assert mean_prediction(packed, "target", Classification(2))["accuracy"] == pytest.approx(75)


@pytest.mark.parametrize("field", [Field("int8", (1, 2), "class"), Field("float16", (1, 1, 2), "float")])
def test_edges_are_predicted_by_their_share(make: Make, field: Field) -> None:
    """Shares 3/4 and 1/2. From a threshold of 0.5 on only the first pixel is an edge, rightly in two of three; below
    it the second is one too, rightly in one of three: F = 2·2/(3 + 3) against 2·3/(6 + 3)."""
    packed = make(field, [[1, 0], [1, 1], [0, 0], [1, 1]], [[1, 0], [1, 0], [0, 1]])
    assert mean_prediction(packed, "target", Edges())["max_f"] == pytest.approx(100 * 2 / 3)


def test_other_splits_may_be_named(make: Make) -> None:
    packed = make(DEPTH, [[1, 2]], [[3, 3]])
    assert mean_prediction(packed, "target", Depth(), test="train")["abs_err"] == 0
    with pytest.raises(BenchError, match="has no split `val`"):
        mean_prediction(packed, "target", Depth(), test="val")
    with pytest.raises(BenchError, match="has no target `depth`"):
        mean_prediction(packed, "depth", Depth())


def test_numbers_of_a_yes_or_no_are_predicted_as_classes_are(tmp_path: Path) -> None:
    fields = {"image": Field("uint8", (1, 1, 1), "uint8/255"), "sold": Field("float32", (), "float")}
    arrays = {"image": np.zeros((5, 1, 1, 1), np.uint8), "sold": np.array([1, 1, 0, -1, np.nan], np.float32)}
    write_packed(tmp_path / "made", "made", {"train": arrays, "test": arrays}, fields, "by hand", {})
    found = mean_prediction(Packed.open(tmp_path / "made"), "sold", BinaryClassification())
    assert found["accuracy"] == pytest.approx(200 / 3)
