"""What a folder of official files holds of a dataset, and what is missing there."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

from mtl_bench.errors import BenchError

STATES = ("found", "missing", "unreadable")
Sizes: TypeAlias = Callable[[Path], Mapping[str, int]]  # bytes of the files in a folder, by name


@dataclass(frozen=True)
class Sample:
    """One sample: its name in sentences, its official files by what they hold, its row in files that hold many."""

    name: str
    files: Mapping[str, Path]
    row: int = 0


@dataclass(frozen=True)
class Tally:
    """One row of the table of completeness: how many of which files, of one split or of all (`split` is empty)."""

    split: str
    files: str
    found: int
    missing: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Inventory:
    """The complete samples of every split in their order, and why others are not complete.

    `lost` says so per split in one sentence per sample: which file, and what to download from whom. `fatal` are the
    sentences about files without which there is no sample at all. `source` says in words what was found, `variant`
    that it is a copy or a part; `splits` may be any sequence, one that makes its samples when asked where millions
    would fill the memory.
    """

    source: str
    splits: Mapping[str, Sequence[Sample]]
    tallies: Sequence[Tally]
    lost: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fatal: Sequence[str] = ()
    variant: str = ""

    @property
    def counts(self) -> dict[str, int]:
        return {split: len(samples) for split, samples in self.splits.items()}

    def check(self, on_error: str) -> None:
        """Raises BenchError with the first sentence that stands in the way."""
        lost = [sentence for sentences in self.lost.values() for sentence in sentences]
        wrong = [*self.fatal, *(lost if on_error == "raise" else ())]
        if wrong:
            raise BenchError(" ".join([wrong[0], *_others(len(wrong) - 1, skippable=not self.fatal)]))
        if empty := [split for split, count in self.counts.items() if not count]:
            raise BenchError(f"Split `{empty[0]}` has no complete sample{': ' + lost[0] if lost else '.'}")


def take_stock(
    source: str, expected: Mapping[str, Iterable[Sample]], remedies: Mapping[str, str], variant: str = ""
) -> Inventory:
    """The inventory of samples that have files of their own: which are there and not empty.

    `remedies` says by what a file holds how to get it, as the end of a sentence.
    """
    splits: dict[str, list[Sample]] = {}
    lost: dict[str, list[str]] = {}
    tallies = []
    sizes: Sizes = cache(_sizes)  # one look per folder
    for split, samples in expected.items():
        splits[split], lost[split] = [], []
        found = {kind: [0, 0, 0] for kind in remedies}
        for sample in samples:
            states = {kind: _state(path, sizes) for kind, path in sample.files.items()}
            for kind, state in states.items():
                found[kind][STATES.index(state)] += 1
            if bad := next((kind for kind, state in states.items() if state != "found"), None):
                told = "is missing" if states[bad] == "missing" else "is empty"
                lost[split].append(f"{sample.files[bad]} {told}; {remedies[bad]}.")
            else:
                splits[split].append(sample)
        tallies += [Tally(split, kind, *counts) for kind, counts in found.items() if sum(counts)]
    return Inventory(source, splits, tallies, {split: told for split, told in lost.items() if told}, (), variant)


def _state(path: Path, sizes: Sizes) -> str:
    size = sizes(path.parent).get(path.name)
    return "missing" if size is None else "found" if size else "unreadable"


def _sizes(folder: Path) -> dict[str, int]:
    try:
        return {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
    except OSError:
        return {}


def _others(count: int, skippable: bool) -> list[str]:
    if not count:
        return ["on_error=skip packs all other samples."] if skippable else []
    if not skippable:
        return [f"So it is with {count} other samples."]
    return [f"So it is with {count} other samples; on_error=skip packs the complete ones."]
