"""Boards of folders with records, for verbs that read them."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError, Damaged

if TYPE_CHECKING:
    from mtl_bench.records import Record
    from mtl_bench.results import Board


@contextmanager
def telling_damaged() -> Iterator[list[Damaged]]:
    """Damaged files are named at the end, of which the exit status tells too; all others are read."""
    damaged: list[Damaged] = []
    try:
        yield damaged
    finally:
        for error in damaged:
            print(f"mtl-bench: {error}", file=sys.stderr)
    if damaged:
        sys.exit(1)


def check_folders(folders: Sequence[Path]) -> None:
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise BenchError(f"There is no folder {missing[0]}; run `mtl-bench train` first, or name where records lie.")


def is_asked_for(board: "Board", experiment: str | None) -> bool:
    """Whether `--experiment` means the board: a tuned one by its own name, or by that of what was tuned."""
    return experiment in (None, board.experiment, board.setting["name"])


@contextmanager
def naming_copies(folders: Sequence[Path]) -> Iterator[None]:
    """Of one run that two records tell differently both folders are named."""
    from mtl_bench.records.record import locate_records
    from mtl_bench.results.entries import TwiceTrained

    try:
        yield
    except TwiceTrained as error:
        located = locate_records(folders, damaged=[])
        found = [path.parent for path, record in located if (record["hash"], record["seed"]) == error.cell]
        here = Path.cwd()
        told = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in found]
        raise BenchError(f"{error} They lie in {' and '.join(told)}.") from None


def one_of_each(folders: Sequence[Path], damaged: list[Damaged]) -> "tuple[list[Record], int]":
    """Of runs that lie there more than once, as two machines leave them, the copy among most records of one root; and
    how many of them have copies with other values.
    """
    from mtl_bench.records.identity import canonical_text
    from mtl_bench.records.reading import readings_in
    from mtl_bench.records.record import SINGLE, locate_records
    from mtl_bench.results.entries import same_values
    from mtl_bench.results.validation.fault import Located

    check_folders(folders)
    located = [Located(*one) for one in locate_records(folders, damaged)]
    size = Counter(one.root for one in located)
    kept: dict[str, Record] = {}
    unlike = set[str]()
    for one in sorted(located, key=lambda one: -size[one.root]):
        record = one.record
        board = None if record["method"]["name"] == SINGLE else record["experiment"]["hash"]  # a method's alone
        key = canonical_text([record["hash"], record["seed"], readings_in(record), board])
        if not same_values(kept.setdefault(key, record), record):
            unlike.add(key)
    chosen = set(map(id, kept.values()))
    return [one.record for one in located if id(one.record) in chosen], len(unlike)


def boards_below(
    folders: Sequence[Path],
    damaged: list[Damaged],
    *,
    entries: bool = True,
    records: "Sequence[Record] | None" = None,
) -> "list[Board]":
    """Every board of the records there, without the trials of searches. `entries`: with rows of groups and of winners.
    `records`: those of the folders that count (None: all).

    Raises BenchError when a folder is missing, or there is no record of a method.
    """
    from mtl_bench.cli.preset_label import preset_label
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import find_records
    from mtl_bench.results import leaderboards

    check_folders(folders)
    files = [file for file in find_entries(folders, damaged) if entries or "tuning" in file]
    with naming_copies(folders):
        records = find_records(folders, damaged) if records is None else records
        boards = leaderboards(records, files, damaged, preset_label)
    return [board for board in boards if entries or board.tuned_from is None]
