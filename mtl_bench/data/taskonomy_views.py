"""Samples of Taskonomy that are made when they are asked for: three numbers each, because there are millions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Int32

from mtl_bench.data.official import Sample

Rows = Int32[np.ndarray, "views 3"]  # building, point and view of each


@dataclass(frozen=True)
class BuildingPlace:
    """One building: its name, and by task its folder and the word that its file names end with."""

    building: str
    tasks: Mapping[str, tuple[Path, str]]

    def file(self, task: str, view: str) -> Path:
        folder, word = self.tasks[task]
        return folder / f"{view}_domain_{word}.png"


class Views(Sequence[Sample]):
    """The views of a split, 12 bytes each; `places` are the buildings by number."""

    def __init__(self, places: Mapping[int, BuildingPlace], rows: Rows) -> None:
        self.places, self.rows = places, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Sample: ...
    @overload
    def __getitem__(self, at: slice) -> "Views": ...
    def __getitem__(self, at: int | slice) -> "Sample | Views":
        if isinstance(at, slice):
            return Views(self.places, self.rows[at])
        number, point, view = self.rows[at].tolist()
        place, name = self.places[number], f"point_{point}_view_{view}"
        return Sample(f"{place.building}/{name}", {task: place.file(task, name) for task in place.tasks}, number)
