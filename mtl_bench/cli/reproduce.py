"""`mtl-bench reproduce`: published tables, what their cells say of their Δm, and our numbers beside them."""

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError, Damaged

if TYPE_CHECKING:
    from mtl_bench.results.published import PaperTable, PrintedNames, Trained

FOLDERS = (Path("results/reference"), Path("runs"))
SEEDS = "0,1,2"


def add_reproduce_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", help="a published table; without one all are listed")
    parser.add_argument("--audit", action="store_true", help="recompute every Δm and mean rank from the printed cells")
    parser.add_argument(
        "--run",
        nargs="*",
        metavar="OVERRIDE",
        help="train what is missing, as a sweep that can be resumed; behind it what `train` takes besides",
    )
    parser.add_argument("--seeds", help=f"with --run: seeds of the methods and baselines ({SEEDS})")
    parser.add_argument(
        "--records", type=Path, action="append", metavar="FOLDER", help="where records lie (results/reference, runs)"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="with --audit: write GitHub Markdown there (-: stdout)"
    )
    parser.add_argument("--published", type=Path, metavar="FOLDER", help="where published tables lie (the package's)")


def reproduce(parsed: argparse.Namespace) -> None:
    """Damaged records are named at the end, of which the exit status tells too; all others are used."""
    _check_reproduce(parsed)
    from mtl_bench.results.published import printed_names, published_folder, published_table, published_tables

    folder = parsed.published or published_folder()
    tables, names = published_tables(folder), printed_names(folder)
    chosen = {parsed.table: published_table(tables, parsed.table)} if parsed.table else tables
    if parsed.audit:
        _audit(chosen, folder, parsed)
        return
    if parsed.run is not None:
        _run(chosen[parsed.table], names, parsed)
    damaged: list[Damaged] = []
    trained = _trained(chosen.values(), parsed, damaged)
    from mtl_bench.cli.reproduce_screen import list_tables, show_table

    if parsed.table:
        show_table(chosen[parsed.table], trained.get(parsed.table, []), names)
    else:
        list_tables(chosen, trained, names)
    for error in damaged:
        print(f"mtl-bench: {error}", file=sys.stderr)
    if damaged:
        sys.exit(1)


def _check_reproduce(parsed: argparse.Namespace) -> None:
    if parsed.run is not None and parsed.table is None:
        raise BenchError("--run trains one table; name it first: `mtl-bench reproduce TABLE --run`.")
    if parsed.run is not None and parsed.audit:
        raise BenchError("--audit reads what is printed and --run trains; ask for one of them.")
    if parsed.seeds is not None and parsed.run is None:
        raise BenchError("--seeds are those that --run trains; without it every seed that is there counts. Add --run.")
    if parsed.markdown is not None and not parsed.audit:
        raise BenchError("--markdown writes the audit; add --audit.")
    if missing := [folder for folder in parsed.records or () if not folder.is_dir()]:
        raise BenchError(f"There is no folder {missing[0]}; name where records lie with --records.")


def _audit(tables: "Mapping[str, PaperTable]", folder: Path, parsed: argparse.Namespace) -> None:
    from mtl_bench.results.published import audit_markdown, known_exceptions

    reasons = known_exceptions(folder)
    if parsed.markdown is not None:
        from mtl_bench.cli.report_files import write_text

        if str(parsed.markdown) == "-":
            print(audit_markdown(tables, reasons))
        else:
            write_text(parsed.markdown, audit_markdown(tables, reasons))
        return
    from mtl_bench.cli.reproduce_screen import show_audit, show_rows_audited

    if parsed.table:
        show_rows_audited(tables[parsed.table], reasons)
    else:
        show_audit(tables, reasons)


def _trained(
    tables: "Iterable[PaperTable]", parsed: argparse.Namespace, damaged: list[Damaged]
) -> "dict[str, list[Trained]]":
    """Table → the boards of its experiment, those at the full protocol first."""
    from mtl_bench.cli.departures import departures
    from mtl_bench.cli.preset_label import preset_label
    from mtl_bench.cli.record_folders import naming_copies
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import SINGLE, find_records
    from mtl_bench.results.board import leaderboards
    from mtl_bench.results.published import Trained
    from mtl_bench.results.tuned_rows import without_trials

    folders = parsed.records or [folder for folder in FOLDERS if folder.is_dir()]
    wanted = [table for table in tables if table.experiment]
    names = {table.experiment for table in wanted}
    records = without_trials(find_records(folders, damaged), find_entries(folders, damaged))
    methods = [one for one in records if one["experiment"]["name"] in names and one["method"]["name"] != SINGLE]
    own = [one for one in methods if one["config"].get("tasks", {}).keys() <= set(one["tasks"])]  # on all tasks
    if not own:
        return {}
    baselines = {digest for one in own for digest in one["baselines"].values()}
    used = [*own, *(one for one in records if one["hash"] in baselines)]
    found: dict[str, list[Trained]] = {}
    with naming_copies(folders):
        boards = leaderboards(used)
    for board in boards:
        example = next(one for one in own if one["experiment"]["hash"] == board.hash)
        for table in wanted:
            if table.experiment == board.experiment:
                ways = [departures(example, overrides) for overrides in table.protocols]
                one = Trained(board, used, min(ways, key=len), preset_label)
                found.setdefault(table.name, []).append(one)
    return {name: sorted(boards, key=lambda one: bool(one.departures)) for name, boards in found.items()}


def _run(table: "PaperTable", names: "PrintedNames", parsed: argparse.Namespace) -> None:
    """One sweep over what is missing; finished cells are skipped, so the same command goes on where it was stopped."""
    from mtl_bench.cli.hydra_verbs import hydra_verb
    from mtl_bench.results.published import methods_to_train, rows_to_train

    if table.experiment is None:
        raise BenchError(f"No experiment here has the protocol of {table.name}, so nothing can be trained for it.")
    known = [] if parsed.run else _trained([table], parsed, []).get(table.name, [])
    full = [one for one in known if not one.departures]
    if not methods_to_train(table, names):
        raise BenchError(f"None of the methods of {table.name} is here; `mtl-bench list method` names those that are.")
    typed = SEEDS if parsed.seeds is None else parsed.seeds
    seeds = _seeds(typed)
    methods = rows_to_train(table, full[0], names, seeds) if full else methods_to_train(table, names)
    if not methods:
        print(f"Nothing to train: every method of {table.name} that is here has seeds {typed}.")
        return
    failed: BenchError | None = None
    for chosen in _sweeps(table, methods):
        sweep = ["-m", f"experiment={table.experiment}", *chosen, f"seed={typed}", "single_task=true"]
        sweep += [*table.protocols[0], *parsed.run]
        print(f"mtl-bench train {shlex.join(sweep)}", flush=True)
        try:
            hydra_verb("train", sweep)
        except BenchError as error:  # of some cells; those of the other sweeps are trained all the same
            failed = failed or error
    if failed is not None:
        raise failed


def _sweeps(table: "PaperTable", methods: Sequence[str]) -> list[list[str]]:
    """One over the methods as they come, one for each that the paper gave options of its own."""
    own = [method for method in methods if method not in table.options]
    given = {method: options for method, options in table.options.items() if method in methods}
    return [[f"method={','.join(own)}"]] * bool(own) + [
        [f"method={method}", *(f"method.{key}={value}" for key, value in options.items())]
        for method, options in given.items()
    ]


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise BenchError(f"--seeds takes whole numbers with commas between them, as in 0,1,2; got {text!r}.") from None
