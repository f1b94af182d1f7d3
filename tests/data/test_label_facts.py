"""One look at all labels serves every later start, and never one at other labels."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data import label_facts as module
from mtl_bench.data.label_facts import label_facts
from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.errors import BenchError

FIELDS = {
    "image": Field("uint8", (1, 1, 1), "uint8/255"),
    "region": Field("int8", (2, 2), {"name": "class", "ignore": [9]}),
    "far": Field("float16", (1, 2), "float", "m"),
}
KEPT = "train.region.labels.npz"


def arrays() -> dict[str, np.ndarray]:
    region = np.array([[[9, 9], [9, 9]], [[9, 9], [9, 4]], [[0, 1], [2, 3]]], np.int8)
    far = np.array([[[1, 2]], [[np.nan, 2]], [[np.nan, np.nan]]], np.float16)
    return {"image": np.zeros((3, 1, 1, 1), np.uint8), "region": region, "far": far}


@pytest.fixture
def pack(tmp_path: Path) -> Packed:
    write_packed(tmp_path / "made", "made", {"train": arrays(), "none": _none()}, FIELDS, "by hand", {})
    return Packed.open(tmp_path / "made")


def _none() -> dict[str, np.ndarray]:
    return {name: array[:0] for name, array in arrays().items()}


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the fields that are looked at."""
    seen: list[str] = []
    original = module._look

    def look(packed: Packed, split: str, name: str, array: np.ndarray) -> module.LabelFacts:
        seen.append(name)
        return original(packed, split, name, array)

    monkeypatch.setattr(module, "_look", look)
    return seen


def check(packed: Packed) -> None:
    facts = label_facts(packed, "train", "region")
    assert facts.labelled.tolist() == [False, True, True]
    assert facts.span == (-1, 4)


def test_the_second_start_does_not_look(pack: Packed, looks: list[str]) -> None:
    for _ in range(2):
        check(pack)
        facts = label_facts(pack, "train", "far")
        assert (facts.labelled.tolist(), facts.span) == ([True, True, False], (1, 2))
        empty = label_facts(pack, "none", "region")
        assert (empty.labelled.tolist(), empty.span) == ([], (-1, -1))
    assert looks == ["region", "far", "region"]
    pack.verify()
    Packed.open(pack.folder)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _of_the_other(path: Path) -> None:
    path.write_bytes(path.with_name("train.far.labels.npz").read_bytes())


@pytest.mark.parametrize("damage", [_cut, _of_the_other, lambda path: path.write_bytes(b""), os.remove])
def test_what_is_damaged_is_made_anew(pack: Packed, looks: list[str], damage: Callable[[Path], None]) -> None:
    check(pack)
    label_facts(pack, "train", "far")
    damage(pack.folder / KEPT)
    check(pack)
    check(pack)
    assert looks == ["region", "far", "region"]


def test_other_content_is_looked_at(pack: Packed, looks: list[str]) -> None:
    """Labels that were mended in their place, another encoding, another digest."""
    check(pack)
    changed = arrays()["region"]
    changed[0] = 7
    np.save(pack.folder / "train.region.npy", changed)
    assert label_facts(pack, "train", "region").span == (-1, 7)
    manifest = json.loads((pack.folder / "manifest.json").read_text())
    manifest["fields"]["region"]["encoding"]["ignore"] = [9, 7]
    (pack.folder / "manifest.json").write_text(json.dumps(manifest))
    check(Packed.open(pack.folder))
    manifest["digest"] = "0" * 64
    (pack.folder / "manifest.json").write_text(json.dumps(manifest))
    check(Packed.open(pack.folder))
    assert looks == ["region"] * 4


def test_labels_without_a_meaning_are_never_kept(pack: Packed) -> None:
    changed = arrays()["region"]
    changed[2, 0, 0] = -100
    np.save(pack.folder / "train.region.npy", changed)
    for _ in range(2):
        with pytest.raises(BenchError, match="field `region` of split `train` holds the label -100"):
            label_facts(pack, "train", "region")
    assert not (pack.folder / KEPT).exists()


def test_a_place_that_cannot_be_written_keeps_nothing_and_serves_all_the_same(pack: Packed, looks: list[str]) -> None:
    (pack.folder / KEPT).mkdir()  # which stops everyone, as a mode does not
    check(pack)
    check(pack)
    assert looks == ["region"] * 2
    assert sorted(path.name for path in pack.folder.glob("*.npz*")) == [KEPT]
