"""`mtl-bench <verb>`: train, group, prepare, report, list, doctor."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.errors import BenchError, Damaged, noting

if TYPE_CHECKING:
    from mtl_bench.records import Record
    from mtl_bench.results import Board

VERBS = {
    "train": "train one configuration (a Hydra job; -m sweeps) and leave one record",
    "group": "measure task affinities, choose groups within a budget, train them (a Hydra job) and leave one entry",
    "prepare": "read raw official files once and write packed arrays: dataset=NAME [source=FOLDER]",
    "report": "turn records into tables (terminal or Markdown) and plots",
    "list": "describe methods, datasets, models, protocols, experiments and suites",
    "doctor": "say what is installed, which device and data are found, and what is wrong",
}

HYDRA = ("train", "group", "prepare")  # verbs whose arguments Hydra reads


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point. Exit status 0, 1 for an error (one sentence on stderr), 2 for wrong usage, 128 + n for a signal."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if debug := "--debug" in arguments:
        arguments.remove("--debug")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        _run(arguments, debug)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `mtl-bench report | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        from mtl_bench.cli.explain import explain  # late: it knows Hydra's errors, which most verbs never load

        print(f"mtl-bench: {explain(error)}", file=sys.stderr)
        sys.exit(1)


def _run(arguments: list[str], debug: bool) -> None:
    verb = arguments[0] if arguments else ""
    if verb in HYDRA:  # Hydra reads the rest
        from mtl_bench.cli.hydra_verbs import hydra_verb

        hydra_verb(verb, arguments[1:], debug)
        return
    parsed = _parser().parse_args(arguments or ["--help"])
    action: Callable[[argparse.Namespace], None] = parsed.action
    action(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mtl-bench", description=__doc__, epilog="--debug shows tracebacks.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in HYDRA:  # shown here; `_run` hands them to Hydra
        verbs.add_parser(verb, help=VERBS[verb], add_help=False)
    report = verbs.add_parser("report", help=VERBS["report"], description=VERBS["report"])
    report.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where records lie (runs)")
    report.add_argument("--experiment", help="only this experiment")
    report.add_argument("--markdown", type=Path, metavar="FILE", help="write GitHub Markdown there (- for stdout)")
    report.add_argument("--plot", type=Path, metavar="FILE", help="draw Δm with intervals into a .png, .svg or .pdf")
    report.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="draw targets and predictions of the run with the best Δm (else the newest) into a .png, .svg or .pdf",
    )
    report.add_argument(
        "--findings", type=Path, metavar="FILE", help="draw affinities, conflicts, groups and priorities over time"
    )
    report.add_argument("--method", help="with --predictions or --findings: runs of this method")
    report.set_defaults(action=_report)
    listing = verbs.add_parser("list", help=VERBS["list"], description=VERBS["list"])
    listing.add_argument("group", nargs="?", help="method, dataset, model, protocol, experiment, suite, …")
    listing.set_defaults(action=_list)
    doctor = verbs.add_parser("doctor", help=VERBS["doctor"], description=VERBS["doctor"])
    doctor.set_defaults(action=_doctor)
    return parser


def _report(parsed: argparse.Namespace) -> None:
    """Damaged files are named at the end, of which the exit status tells too; all others are reported."""
    damaged: list[Damaged] = []
    try:
        _report_rest(parsed, damaged)
    finally:
        for error in damaged:
            print(f"mtl-bench: {error}", file=sys.stderr)
    if damaged:
        sys.exit(1)


def _report_rest(parsed: argparse.Namespace, damaged: list[Damaged]) -> None:
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import find_records
    from mtl_bench.results import leaderboards, markdown, plot_delta_m, show

    missing = [str(folder) for folder in parsed.folders if not folder.is_dir()]
    if missing:
        raise BenchError(f"There is no folder {missing[0]}; run `mtl-bench train` first, or name where records lie.")
    records = find_records(parsed.folders, damaged)
    boards = [
        board
        for board in leaderboards(records, find_entries(parsed.folders, damaged), damaged)
        if parsed.experiment in (None, board.experiment)
    ]
    if not boards:
        raise BenchError(f"No record of a method on {parsed.experiment} lies in {', '.join(map(str, parsed.folders))}.")
    _check_pictures(parsed)
    if parsed.plot is not None:
        plot_delta_m(boards, parsed.plot)
    if parsed.markdown is None:
        for board in boards:
            show(board)
    elif str(parsed.markdown) == "-":
        print("\n".join(markdown(board) for board in boards))
    else:
        _write(parsed.markdown, "\n".join(markdown(board) for board in boards))
    _draw_predictions(parsed, boards, records, damaged)
    _draw_findings(parsed, damaged)


def _check_pictures(parsed: argparse.Namespace) -> None:
    """Before anything is printed or written."""
    pictures = [path for path in (parsed.predictions, parsed.findings) if path is not None]
    if not pictures and parsed.method is not None:
        raise BenchError("--method chooses whose pictures are drawn; add --predictions FILE or --findings FILE.")
    for path in pictures:
        from mtl_bench.results.predictions import check_suffix

        check_suffix(path)


def _draw_predictions(
    parsed: argparse.Namespace, boards: "list[Board]", records: "list[Record]", damaged: list[Damaged]
) -> None:
    if parsed.predictions is None:
        return
    from mtl_bench.results.predictions import draw_predictions
    from mtl_bench.results.run_pictures import choose_kept, find_kept, name_files

    kept = find_kept(parsed.folders, damaged)
    chosen = choose_kept(kept, boards, records, parsed.experiment, parsed.method)
    for one, path in zip(chosen, name_files(chosen, parsed.predictions), strict=True):
        with noting(damaged):
            draw_predictions(one, path)
            # Markdown on stdout stays Markdown.
            print(f"{path}: {one.name}", file=sys.stderr if str(parsed.markdown) == "-" else sys.stdout)


def _draw_findings(parsed: argparse.Namespace, damaged: list[Damaged]) -> None:
    if parsed.findings is None:
        return
    from mtl_bench.results.findings_pictures import draw_findings, find_told, name_told

    told = find_told(parsed.folders, parsed.experiment, parsed.method, damaged)
    for one, path in zip(told, name_told(told, parsed.findings), strict=True):
        draw_findings(one, path)
        print(
            f"{path}: {one.name}, seed {one.record['seed']}",
            file=sys.stderr if str(parsed.markdown) == "-" else sys.stdout,
        )


def _write(path: Path, text: str) -> None:
    from mtl_bench.records.atomic import write_atomic

    if path.is_symlink() or path.is_fifo() or path.is_char_device():
        path.write_text(text)  # /dev/stdout and the like: replacing it, as root could, would break it for everyone
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"{path.parent} cannot be created ({error.strerror}); choose another folder.") from error
        write_atomic(path, text)


def _list(parsed: argparse.Namespace) -> None:
    from mtl_bench.cli.listing import show_listing

    show_listing(parsed.group)


def _doctor(parsed: argparse.Namespace) -> None:
    from mtl_bench.cli.doctor import examine

    if not examine():
        sys.exit(1)
