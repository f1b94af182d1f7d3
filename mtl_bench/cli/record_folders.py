"""Boards of folders with records, for verbs that read them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError, Damaged

if TYPE_CHECKING:
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


def boards_below(folders: Sequence[Path], damaged: list[Damaged], *, entries: bool = True) -> "list[Board]":
    """Every board of the records there, without the trials of searches. `entries`: with rows of groups and of winners.

    Raises BenchError when a folder is missing, or there is no record of a method.
    """
    from mtl_bench.cli.preset_label import preset_label
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import find_records
    from mtl_bench.results import leaderboards

    check_folders(folders)
    files = [file for file in find_entries(folders, damaged) if entries or "tuning" in file]
    boards = leaderboards(find_records(folders, damaged), files, damaged, preset_label)
    return [board for board in boards if entries or board.tuned_from is None]
