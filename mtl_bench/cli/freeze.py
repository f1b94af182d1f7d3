"""`mtl-bench freeze`: versions of the leaderboard that never change."""

import argparse
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError

if TYPE_CHECKING:
    from mtl_bench.results.board import Board
    from mtl_bench.results.frozen_files import Filter

ROOT = Path("results/leaderboard")


def add_freeze_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("results/reference")], help="where records lie")
    parser.add_argument("--into", type=Path, default=ROOT, metavar="FOLDER", help=f"where v1, v2, … lie ({ROOT})")
    parser.add_argument("--check", action="store_true", help="write nothing: are all versions what they were?")


def freeze(parsed: argparse.Namespace) -> None:
    """Raises BenchError for a damaged record: what cannot be read cannot be frozen."""
    from mtl_bench import __version__
    from mtl_bench.cli.preset_label import preset_label
    from mtl_bench.cli.record_folders import check_folders, naming_copies
    from mtl_bench.cli.unserved import unserved
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import find_records
    from mtl_bench.results import leaderboards
    from mtl_bench.results.frozen import check_frozen, freeze_files
    from mtl_bench.results.frozen_files import frozen_files

    if parsed.check:
        if not parsed.into.is_dir():
            raise BenchError(f"There is no folder {parsed.into}; name where frozen versions lie with --into.")
        count = check_frozen(parsed.into)
        print(f"{_count(range(count), 'frozen version')} below {parsed.into}, unchanged.")
        return
    check_folders(parsed.folders)
    records = find_records(parsed.folders)
    with naming_copies(parsed.folders):
        boards = leaderboards(records, find_entries(parsed.folders), label_of=preset_label)
    files = frozen_files([(board, filters_of(board)) for board in boards], unserved)
    made = freeze_files(parsed.into, files, records, __version__)
    counted = (_count(boards, "board"), _count(files, "file"), _count(records, "record"))
    print(f"{made.folder}: {', '.join(counted)}. Commit it as it is.")


def filters_of(board: "Board") -> "list[Filter]":
    """All rows, methods with the options of their YAML alone, and the rows of each suite on this experiment."""
    from mtl_bench.cli.preset_label import preset_label
    from mtl_bench.configuration.suite_grid import suites_of
    from mtl_bench.results.frozen_files import Filter

    methods = [row.label for row in board.rows if row.is_method]
    plain = tuple(label for label in methods if label == preset_label(label.partition(" (")[0]))
    suites = [Filter(f"suite-{grid.name}", grid.methods, grid.seeds) for grid in suites_of(board.experiment)]
    return [Filter("all"), Filter("default", plain), *suites]


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
