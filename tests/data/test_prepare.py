"""Where packed datasets lie, and when they are made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from mtl_bench.data.dataset import Dataset, prepare
from mtl_bench.data.digits import MultiDigits
from mtl_bench.data.packed import Field, Manifest, write_packed
from mtl_bench.errors import BenchError


@dataclass(frozen=True)
class Grey(Dataset):
    """Constant images; counts how often it is packed."""

    name: str = "grey"
    level: int = 3
    packings: ClassVar[list[Path | None]] = []

    @property
    def fields(self) -> Mapping[str, Field]:
        return {"image": Field("uint8", (1, 2, 3), "uint8/255"), "level": Field("uint8", (), "class")}

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        self.packings.append(source)
        images, levels = np.full((4, 1, 2, 3), self.level, np.uint8), np.full(4, self.level, np.uint8)
        arrays = {"train": {"image": images, "level": levels}}
        return write_packed(folder, self.name, arrays, self.fields, "made up", self.parameters)


@pytest.fixture(autouse=True)
def _forget() -> None:
    Grey.packings.clear()


def test_packs_once(tmp_path: Path) -> None:
    first = prepare(Grey(), tmp_path, tmp_path / "source")
    assert prepare(Grey(), tmp_path).digest == first.digest
    assert Grey.packings == [tmp_path / "source"]
    assert first.folder.parent == tmp_path / "packed"
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()  # an edit of a class of the user's packs anew
    expected = {"class": "Grey", "name": "grey", "level": 3, "revision": 1, "_source_": source}
    assert first.manifest.parameters == expected


def test_other_parameters_and_revisions_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {Grey().folder_name, Grey(level=4).folder_name}
    monkeypatch.setattr(Grey, "revision", 2)
    names.add(Grey().folder_name)
    assert len(names) == 3
    assert all(name.startswith("grey-") for name in names)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_without_a_stream_are_refused(tmp_path: Path, seed: int) -> None:
    with pytest.raises(BenchError, match=f"Dataset multidigits: data_seed is from 0 to 4294967295, got {seed}"):
        prepare(MultiDigits(data_seed=seed), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_image_and_the_targets_are_known_before_packing() -> None:
    assert Grey().image_shape == (1, 2, 3)
    assert list(Grey().targets) == ["level"]
