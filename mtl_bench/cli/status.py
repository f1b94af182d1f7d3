"""`mtl-bench status`: where a grid of runs stands."""

import argparse
from pathlib import Path


def add_status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where runs lie (runs)")
    parser.add_argument("--watch", action="store_true", help="look again every two seconds until all is done")
    parser.epilog = "mtl-bench status -m SWEEP: every cell of a sweep as it is typed after `train`, begun or not."


def status(parsed: argparse.Namespace) -> None:
    """Of what was begun in some folders, trials of searches counted together."""
    from mtl_bench.cli.grid_table import show_grid
    from mtl_bench.records.entry import EntryFile, find_entries
    from mtl_bench.records.standing import cells_under, searches_of, trial_cells

    def files() -> list[EntryFile]:
        return find_entries(parsed.folders, damaged=[])  # one that is damaged is told where its row is asked for

    trials = trial_cells(files())
    cells = [cell for cell in cells_under(parsed.folders) if (cell.hash, cell.seed) not in trials]
    show_grid(dict.fromkeys(cells), parsed.watch, lambda: searches_of(files()))


def status_of_sweep(arguments: list[str], debug: bool) -> None:
    """Of every cell of a sweep, single-task baselines included where it asks for them."""
    from mtl_bench.cli.grid_table import show_grid
    from mtl_bench.cli.hydra_verbs import cells_of_sweep

    watch = "--watch" in arguments
    show_grid(cells_of_sweep([one for one in arguments if one != "--watch"], debug), watch)
