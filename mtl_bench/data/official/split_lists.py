"""Official splits that come as two text files with one name per line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_bench.data.official import Tally
from mtl_bench.data.sources import SourceFile

LISTS = {"train": "train.txt", "test": "val.txt"}  # everybody tests on what these files call val


@dataclass(frozen=True)
class SplitLists:
    """The names in the lists of a folder by split, rows of the table of completeness, and sentences about lost lists.

    Raises BenchError for a list that is empty or names something twice, and for two that share a name.
    """

    folder: Path
    remedy: str

    @property
    def tallies(self) -> list[Tally]:
        return [Tally(split, path.name, int(path.is_file()), 1 - path.is_file()) for split, path in self._paths]

    @property
    def fatal(self) -> list[str]:
        return [f"{path} is missing; {self.remedy}." for _, path in self._paths if not path.is_file()]

    def read(self) -> dict[str, list[str]]:
        files = {split: SourceFile(path, self.remedy) for split, path in self._paths}
        names = {split: _names(file) for split, file in files.items()}
        shared = set(names["train"]) & set(names["test"])
        files["test"].require(not shared, f"names {min(shared, default='')}, which {LISTS['train']} names too")
        return names

    @property
    def _paths(self) -> list[tuple[str, Path]]:
        return [(split, self.folder / name) for split, name in LISTS.items()]


def departure(found: Mapping[str, Sequence[str]], official: Mapping[str, int]) -> str:
    """What the lists have instead of the official counts, in words; empty where they have those."""
    counts = {split: len(names) for split, names in found.items()}
    if counts == dict(official):
        return ""
    there, right = (" and ".join(f"{n:,} {split}" for split, n in one.items()) for one in (counts, official))
    return f"lists of {there} samples instead of {right}"


def _names(file: SourceFile) -> list[str]:
    with file.structure("no text"):
        names = file.path.read_text(encoding="utf-8").split()
    file.require(bool(names), "names nothing")
    file.require(len(set(names)) == len(names), "names something twice")
    return names
