"""Taskonomy from its official files: 4.6 million indoor views of 537 buildings with up to twelve maps each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Shaped

from mtl_bench.data.benchmarks.taskonomy_views import BuildingPlace, Rows, Views
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.taskonomy_files import (
    LIST_REMEDY,
    OF_ONE_BUILDING,
    PARTS,
    VIEW,
    WHERE,
    FoundViews,
    by_file,
    list_path,
    read_buildings,
    recognised,
    views_of,
)
from mtl_bench.data.formats.taskonomy_maps import IMAGE, MAPS, NONE, RGB, SIDE, STEPS, read_map
from mtl_bench.data.maps.resizing import nearest, resized
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, Tally
from mtl_bench.errors import BenchError, check_choices

Order = tuple[int, str]  # of views in a part: by number of the building, and in it by file name
ELEVEN = tuple(task for task in MAPS if task != "segment_semantic")


@dataclass(frozen=True, kw_only=True)
class Taskonomy(OfficialDataset):
    """Taskonomy (Zamir et al. 2018): views of whole buildings, split by building.

    A sample is a view that has a file of every task in `tasks`, found by its point and view, never by its place in a
    list. `split` is the official list of buildings, whose CSV lies beside the data; buildings in `skip` are left out.
    `views` bounds how many views of each building a part has, its first ones, as in {val: 1000, test: 1000};
    `test_share` keeps the first such share of all test views. First is by file name, as in released loaders: point_10
    before point_1.

    `size` is 512 as published, or less: images bilinear with antialiasing, all else the nearest pixel, so that neither
    distances across an edge nor codes for "none" mix. `mask` names the depth whose missing pixels are no label of
    depth, normals, curvature, reshading and occlusion edges, and `far` the metres from which on a pixel is missing too;
    "none" makes every stored number a label, codes included.

    `building` takes one building alone, all its views, whose points are parted 8 : 1 : 1 with `data_seed`; it also
    names the building of a folder that holds one and does not say which.

    Raises BenchError for other values.
    """

    name: str = "taskonomy"
    split: Literal["tiny", "medium", "full", "fullplus"] = "tiny"
    tasks: Sequence[str] = ELEVEN
    size: int = 256
    mask: Literal["depth_zbuffer", "depth_euclidean", "none"] = "depth_zbuffer"
    far: float | None = None
    skip: Sequence[str] = ()
    views: Mapping[str, int] = field(default_factory=dict)
    test_share: float = 1.0
    building: str | None = None
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks) or not set(self.tasks) <= set(MAPS):
            raise BenchError(f"Dataset {self.name}: tasks are some of {', '.join(MAPS)}, got {list(self.tasks)}.")
        if not 1 <= self.size <= SIDE:
            raise BenchError(f"Dataset {self.name}: size is at most the {SIDE} pixels of the files, got {self.size}.")
        if self.far is not None and (self.mask == "none" or not self.far > 0):
            raise BenchError(f"Dataset {self.name}: far is in metres, above 0, and needs a mask; got {self.far}.")
        if not set(self.views) <= set(PARTS) or min(self.views.values(), default=1) < 1:
            raise BenchError(
                f"Dataset {self.name}: views counts from 1 on, for {', '.join(PARTS)}; got {dict(self.views)}."
            )
        if self.building is not None and (self.building in self.skip or self.views or self.test_share != 1):
            raise BenchError(
                f"Dataset {self.name}: building={self.building} packs all views of that building; give "
                "dataset.test_share=1.0 and dataset.views={}, and leave the building out of dataset.skip."
            )
        if not 0 < self.test_share <= 1:
            raise BenchError(f"Dataset {self.name}: test_share is above 0 and at most 1, got {self.test_share}.")

    @property
    def fields(self) -> Mapping[str, Field]:
        masked = self.mask != "none"
        return {
            "image": IMAGE.field(self.size, masked),
            **{task: MAPS[task].field(self.size, masked) for task in self.tasks},
            "view": Field("int32", (3,), "index"),  # number of the building in the list of the split, point, view
        }

    @property
    def needed(self) -> list[str]:
        """Tasks whose files are read."""
        return list(dict.fromkeys([RGB, *self.tasks, *([self.mask] if self.mask != "none" else [])]))

    def find(self, folder: Path) -> Inventory:
        layout = recognised(folder)
        source = f"Taskonomy, {layout.told}"
        if self.building is None and layout == OF_ONE_BUILDING:
            raise BenchError(f"{folder} holds views of one building; say which one with dataset.building=NAME.")
        path = list_path(folder, self.split)
        if self.building is None and not path.is_file():
            fatal = [f"{path} is missing; {LIST_REMEDY}."]
            return Inventory(source, {}, [Tally("", path.name, 0, 1)], fatal=fatal)
        listed = [(self.building, "")] if self.building else read_buildings(path, self.split)
        stock = _Stock(self.needed, None if self.building else self.skip)
        for number, (building, part) in enumerate(listed):
            if building not in self.skip:
                places = {task: layout.place(folder, building, task) for task in self.needed}
                stock.add(number, building, part, places, self.views.get(part))
        if self.building:
            variant = f"building {self.building} of Taskonomy"
            return stock.inventory(source, self._parted(stock.rows("")), variant)
        splits = {part: stock.rows(part) for part in PARTS}
        if self.test_share < 1:
            splits["test"] = stock.shortened("test", self.test_share)
        return stock.inventory(source, splits)

    def read(self, sample: Sample) -> Arrays:
        stored = {task: read_map(path, task) for task, path in sample.files.items()}
        at = nearest(self.size, SIDE)
        small = {task: stored[task][:, at[:, None], at] for task in self.needed if task != RGB}
        missing = self._missing(small)
        arrays = {"image": resized(stored[RGB], (self.size, self.size)), "view": _view(sample)}
        for task in self.tasks:
            told, values = MAPS[task], small[task].astype(MAPS[task].dtype)
            if missing is not None and told.blank is not None:
                values[:, missing] = told.blank
            arrays[task] = values if told.channels else values[0]
        return arrays

    def _missing(self, small: Mapping[str, Shaped[np.ndarray, "_ side side"]]) -> Bool[np.ndarray, "side side"] | None:
        if self.mask == "none":
            return None
        limit = NONE if self.far is None else min(NONE, self.far * STEPS)
        return np.asarray(small[self.mask][0] >= limit)

    def _parted(self, rows: Rows) -> dict[str, Rows]:
        """All views of a point in one part; too few points are all for training."""
        points = np.unique(rows[:, 1])
        drawn = np.random.RandomState(self.data_seed).permutation(points)  # a frozen stream: the same on any NumPy
        tenth = max(1, len(points) // 10) if len(points) > 2 else 0
        parts = {"train": drawn[2 * tenth :], "val": drawn[:tenth], "test": drawn[tenth : 2 * tenth]}
        return {part: rows[np.isin(rows[:, 1], chosen)] for part, chosen in parts.items() if len(chosen)}


class _Stock:
    """What was found of every building, in numbers."""

    def __init__(self, needed: Sequence[str], skipped: Sequence[str] | None) -> None:
        self.needed, self.skipped = needed, skipped
        self.places: dict[int, BuildingPlace] = {}
        self.found: dict[str, list[Rows]] = {}
        self.lost: dict[str, list[tuple[Order, str]]] = {}
        self.counts: dict[str, dict[str, list[int]]] = {}  # part → files → found, missing
        self.absent: dict[str, Path] = {}  # building → a folder that holds nothing

    def add(self, number: int, building: str, part: str, places: Mapping[str, Path], limit: int | None) -> None:
        views = views_of(places)
        self._count(part, views)
        if empty := [task for task in places if task not in views.words]:
            self.absent[building] = places[empty[0]]
            return
        place = BuildingPlace(building, {task: (folder, views.words[task]) for task, folder in places.items()})
        self.places[number] = place
        complete, holes = views.first(limit)
        self.found.setdefault(part, []).append(_numbers(number, complete))
        self.lost.setdefault(part, []).extend(
            (
                (number, by_file(view)),
                f"{place.file(task, view)} is missing; download the {task} files of {building} again {WHERE}.",
            )
            for view, task in holes
        )

    def rows(self, part: str) -> Rows:
        return np.concatenate([np.empty((0, 3), np.int32), *self.found.get(part, [])])

    def shortened(self, part: str, share: float) -> Rows:
        """The complete ones of the first share of all views of a part; beyond it none is lost."""
        rows, lost = self.rows(part), self.lost.get(part, [])
        count = int((len(rows) + len(lost)) * share)
        if not lost:
            return rows[:count]
        wanted = set(sorted([*map(_order, rows), *(order for order, _ in lost)])[:count])
        self.lost[part] = [one for one in lost if one[0] in wanted]
        return rows[: count - len(self.lost[part])]

    def inventory(self, source: str, splits: Mapping[str, Rows], variant: str = "") -> Inventory:
        fatal = [] if not self.absent else [self._told()]
        views = {part: Views(self.places, rows) for part, rows in splits.items()}
        lost = {part or "train": [sentence for _, sentence in told] for part, told in self.lost.items() if told}
        tallies = [Tally(part, files, *both) for part, rows in self.counts.items() for files, both in rows.items()]
        return Inventory(source, views, tallies, lost, fatal, variant)

    def _count(self, part: str, views: FoundViews) -> None:
        counts = self.counts.setdefault(part, {files: [0, 0] for files in ("buildings", *self.needed)})
        counts["buildings"][len(views.words) < len(self.needed)] += 1
        for task in self.needed:
            counts[task][0] += views.counts[task]
            counts[task][1] += views.total - views.counts[task]

    def _told(self) -> str:
        empty = next(iter(self.absent.values()))
        told = f"{empty} holds no views; download them {WHERE}, or store less (dataset.tasks, "
        if self.skipped is None:
            return f"{told}dataset.mask)."
        return f"{told}dataset.mask, dataset.skip=[{','.join([*self.skipped, *self.absent])}])."


def _numbers(number: int, views: Iterable[str]) -> Rows:
    rows = [(number, *map(int, VIEW.findall(view)[0])) for view in views]
    return np.array(rows, np.int32).reshape(-1, 3)


def _order(row: Shaped[np.ndarray, "3"]) -> Order:
    number, point, view = row.tolist()
    return number, by_file(f"point_{point}_view_{view}")


def _view(sample: Sample) -> Shaped[np.ndarray, "3"]:
    return _numbers(sample.row, [sample.name.rpartition("/")[2]])[0]
