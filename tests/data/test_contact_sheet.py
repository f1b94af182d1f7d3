"""The contact sheet is written, shows what is dense, and says what is wrong."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from mtl_bench.data import contact_sheet
from mtl_bench.data.contact_sheet import COLUMN, ROW, draw_contact_sheet, in_words
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.errors import BenchError

FIELDS = {
    "image": Field("uint8", (3, 6, 8), "uint8/255"),
    "region": Field("int8", (6, 8), "class"),
    "far": Field("float16", (1, 6, 8), "float", "m", "depth"),
    "facing": Field("int8", (3, 6, 8), "int8/127", "", "normal"),
    "kind": Field("int8", (), "class"),
}


@pytest.fixture
def made(tmp_path: Path) -> Packed:
    arrays = {name: np.ones((2, *field.shape), field.dtype) for name, field in FIELDS.items()}
    write_packed(tmp_path / "made", "made", {"test": arrays, "other": arrays}, FIELDS, "ones", {})
    return Packed.open(tmp_path / "made")


def test_a_row_per_sample_and_a_column_per_dense_target(made: Packed, tmp_path: Path) -> None:
    """Asked for more samples than there are, a split shows all of its own."""
    draw_contact_sheet(made, {"test": 9, "other": 1}, tmp_path / "deep" / "sheet.png")
    height, width = image.imread(tmp_path / "deep" / "sheet.png").shape[:2]
    assert (height, width) == (int(80 * 3 * ROW), int(80 * 5 * COLUMN))  # image, labels in words, three maps


def test_samples_are_spread_over_their_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = {"train": 10, "val": 2, "test": 0}
    splits = {
        split: {name: np.ones((size, *field.shape), field.dtype) for name, field in FIELDS.items()}
        | {"kind": np.arange(size, dtype=np.int8)}
        for split, size in count.items()
    }
    write_packed(tmp_path / "made", "made", splits, FIELDS, "ones", {})
    said: list[str] = []
    monkeypatch.setattr(contact_sheet, "_write", lambda _, text: said.append(text))
    draw_contact_sheet(Packed.open(tmp_path / "made"), dict.fromkeys(count, 3), tmp_path / "sheet.png")
    assert said == [f"kind {row}" for row in (0, 3, 6, 0, 1)]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"left": 3, "right": 0}, "left 3, right 0"),
        ({"left": -1, "right": 0}, "right 0"),
        ({"left": -1, "age": float("nan")}, "no label"),
        ({"mu": -1.25, "gap": 0.5}, "mu -1.25, gap 0.5"),
        ({**dict.fromkeys("abcdefg", 0), "Hat": 1, "Smile": 1}, "Hat, Smile"),
        (dict.fromkeys("abcdefg", 0), "none of them"),
    ],
)
def test_labels_in_words(labels: dict, said: str) -> None:
    assert in_words(labels) == said


def test_what_cannot_be_drawn(made: Packed, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="choose another path"):
        draw_contact_sheet(made, {"test": 1}, tmp_path / "sheet.doc")
    with pytest.raises(BenchError, match="has no split `train`"):
        draw_contact_sheet(made, {"train": 1}, tmp_path / "sheet.png")
