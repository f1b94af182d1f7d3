"""Where Taskonomy's files lie, and the official lists of buildings."""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import BenchError

PARTS = ("train", "val", "test")
COUNTS = {"tiny": (25, 5, 5), "medium": (99, 20, 19), "full": (346, 67, 69), "fullplus": (383, 75, 79)}
WHERE = "from github.com/StanfordVL/taskonomy or with omnitools.download of github.com/EPFL-VILAB/omnidata"
LIST_REMEDY = "download splits_taskonomy.zip from github.com/StanfordVL/taskonomy (data/assets) and unpack it there"
VIEW = re.compile(r"point_(\d+)_view_(\d+)")
FILE = re.compile(r"^point_\d+_view_\d+_domain_(\w+)\.png$", re.M)


@dataclass(frozen=True)
class ViewLayout:
    """Where a task's views of a building lie below the folder, and what that layout is called."""

    pattern: str
    told: str

    def place(self, folder: Path, building: str, task: str) -> Path:
        return folder / self.pattern.format(building=building, task=task)


OF_ONE_BUILDING = ViewLayout("{task}", "the folder of one building")


@dataclass(frozen=True)
class FoundViews:
    """The views of one building, named `point_P_view_V`.

    `complete` are those that every task has, in the order of their file names; `holes` says of the others which task
    lacks them. `words` is the end of every task's file names, which need not be the task's; a task without files has
    none. `counts` says how many views a task has, `total` how many there are.
    """

    complete: list[str]
    holes: list[tuple[str, str]]
    words: dict[str, str]
    counts: dict[str, int]
    total: int

    def first(self, limit: int | None) -> tuple[list[str], list[tuple[str, str]]]:
        """As many complete views, and the holes before the last of them; all of both where there are fewer."""
        complete = self.complete[:limit]
        if len(complete) != limit:
            return complete, self.holes
        last = by_file(complete[-1])
        return complete, [hole for hole in self.holes if by_file(hole[0]) < last]


def recognised(folder: Path) -> ViewLayout:
    """Raises BenchError for a folder without views."""
    images = folder / "rgb"
    if (images / "taskonomy").is_dir():
        return ViewLayout("{task}/taskonomy/{building}", "as Omnidata hosts it")
    if images.is_dir():
        with os.scandir(images) as entries:
            if any(FILE.match(entry.name) for entry in entries):
                return OF_ONE_BUILDING
        return ViewLayout("{task}/{building}", "one folder per task")
    if folder.is_dir() and any((below / "rgb").is_dir() for below in folder.iterdir()):
        return ViewLayout("{building}/{task}", "one folder per building")
    raise BenchError(
        f"{folder} holds no views of Taskonomy, such as BUILDING/rgb/point_0_view_0_domain_rgb.png or rgb/taskonomy/"
        f"BUILDING/…; download them {WHERE} and give their folder as source=FOLDER."
    )


def views_of(places: Mapping[str, Path]) -> FoundViews:
    """What the folders of one building's tasks hold, the first of which is that of the images.

    File names are matched by point and view, never by their place in a list: some buildings lack some files.
    """
    found, words = {}, {}
    for task, place in places.items():
        names = "\n".join(_names(place))
        if first := FILE.search(names):
            words[task] = first[1]
            found[task] = set(re.findall(rf"^(point_\d+_view_\d+)_domain_{first[1]}\.png$", names, re.M))
        else:
            found[task] = set()
    everywhere, anywhere = set.intersection(*found.values()), set.union(*found.values())
    holes = [(view, next(task for task in places if view not in found[task])) for view in sorted(anywhere - everywhere)]
    complete = sorted(everywhere, key=by_file)
    return FoundViews(complete, holes, words, {task: len(views) for task, views in found.items()}, len(anywhere))


def by_file(view: str) -> str:
    """What views are sorted by: as their file names go on."""
    return f"{view}_"


def list_path(folder: Path, split: str) -> Path:
    """Of the official list of buildings: in the folder or in one of its own, where it should be if it is nowhere."""
    name = f"train_val_test_{split}.csv"
    places = [folder / name, folder / "splits_taskonomy" / name, *sorted(folder.glob(f"*/{name}"))]
    return next((path for path in places if path.is_file()), places[0])


def read_buildings(path: Path, split: str) -> list[tuple[str, str]]:
    """Every building with its part (train, val or test), in the order of the file, whose lines end with a bare CR."""
    file = SourceFile(path, LIST_REMEDY)
    with file.structure("no list of buildings"):
        rows = list(csv.DictReader(path.read_text().splitlines()))  # text knows every end of a line
        buildings = [(row["id"], PARTS[[row[part] for part in PARTS].index("1")]) for row in rows]
    counts = tuple(sum(part == one for _, one in buildings) for part in PARTS)
    file.require(counts == COUNTS[split], f"lists {_told(counts)} buildings instead of {_told(COUNTS[split])}")
    return buildings


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _told(counts: Sequence[int]) -> str:
    return " / ".join(map(str, counts))
