"""`mtl-bench report`: boards in the terminal or as files, and pictures."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_bench.cli.record_folders import check_folders, is_asked_for, naming_copies, telling_damaged
from mtl_bench.cli.report_files import add_file_arguments, write_files
from mtl_bench.errors import BenchError, Damaged, noting

if TYPE_CHECKING:
    from mtl_bench.records import Record
    from mtl_bench.results import Board


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="where records lie (runs)")
    parser.add_argument("--experiment", help="only this experiment")
    parser.add_argument("--wide", action="store_true", help="in the terminal: every metric and every cost")
    add_file_arguments(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw Δm with intervals into a .png, .svg or .pdf")
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="draw targets and predictions of the run with the best Δm (else the newest) into a .png, .svg or .pdf",
    )
    parser.add_argument(
        "--findings", type=Path, metavar="FILE", help="draw affinities, conflicts, groups and priorities over time"
    )
    parser.add_argument(
        "--tuning", type=Path, metavar="FILE", help="draw what more trials bought, and scores by learning rate"
    )
    parser.add_argument(
        "--wandb", action="store_true", help="write Δm into the W&B runs that were logged before it was"
    )
    parser.add_argument(
        "--trade-off",
        nargs=2,
        metavar=("TASK", "FILE"),
        help="draw what priorities for TASK gained it and cost the others into a .png, .svg or .pdf",
    )
    parser.add_argument("--method", help="with --predictions or --findings: runs of this method")


def report(parsed: argparse.Namespace) -> None:
    with telling_damaged() as damaged:
        _report_rest(parsed, damaged)


def _report_rest(parsed: argparse.Namespace, damaged: list[Damaged]) -> None:
    from mtl_bench.records.entry import find_entries
    from mtl_bench.records.record import locate_records
    from mtl_bench.results import leaderboards, plot_delta_m, show
    from mtl_bench.results.tuned_rows import without_trials
    from mtl_bench.results.validation import credited, submitted_runs

    check_folders(parsed.folders)
    located, files = locate_records(parsed.folders, damaged), find_entries(parsed.folders, damaged)
    records = without_trials([record for _, record in located], files)  # of boards, and of what is drawn
    with naming_copies(parsed.folders):
        boards = leaderboards(records, files, damaged)
    boards = [board for board in boards if is_asked_for(board, parsed.experiment)]
    sent = submitted_runs(parsed.folders, damaged)
    boards = [credited(board, sent) for board in boards]
    if not boards:
        raise BenchError(f"No record of a method on {parsed.experiment} lies in {', '.join(map(str, parsed.folders))}.")
    experiment = parsed.experiment and boards[0].setting["name"]  # as runs and entries call it
    _check_pictures(parsed)
    if parsed.plot is not None:
        plot_delta_m(boards, parsed.plot)
    if not write_files(parsed, boards, located, files, sent, damaged):
        for board in boards:
            show(board, wide=parsed.wide)
    _draw_predictions(parsed, experiment, boards, records, damaged)
    _draw_findings(parsed, experiment, damaged)
    if parsed.tuning is not None:
        from mtl_bench.results.tuning_pictures import draw_tuning

        draw_tuning([one for one in files if experiment in (None, one["experiment"]["name"])], parsed.tuning)
        print(f"{parsed.tuning}: searches", file=sys.stderr if str(parsed.markdown) == "-" else sys.stdout)
    _draw_trade_off(parsed, boards, records)
    if parsed.wandb:
        _fill_wandb(parsed.folders, damaged)


def _fill_wandb(folders: list[Path], damaged: list[Damaged]) -> None:
    from mtl_bench.job.late_summary import late_delta_m

    found = late_delta_m(folders, damaged)
    if not found:
        raise BenchError(f"No run below {', '.join(map(str, folders))} was logged to W&B; train with logger=wandb.")
    for folder, change in found:
        print(f"{folder}: {change if isinstance(change, str) else f'Δm {change:+.2f} %'}", file=sys.stderr)


def _check_pictures(parsed: argparse.Namespace) -> None:
    """Before anything is printed or written."""
    pictures = [path for path in (parsed.predictions, parsed.findings) if path is not None]
    if parsed.trade_off is not None:
        pictures.append(Path(parsed.trade_off[1]))
    if parsed.predictions is None and parsed.findings is None and parsed.method is not None:
        raise BenchError("--method chooses whose pictures are drawn; add --predictions FILE or --findings FILE.")
    for path in pictures:
        from mtl_bench.results.predictions import check_suffix

        check_suffix(path)


def _draw_predictions(
    parsed: argparse.Namespace,
    experiment: str | None,
    boards: "list[Board]",
    records: "list[Record]",
    damaged: list[Damaged],
) -> None:
    if parsed.predictions is None:
        return
    from mtl_bench.results.predictions import draw_predictions
    from mtl_bench.results.run_pictures import choose_run_pictures, find_run_pictures, name_files

    runs = find_run_pictures(parsed.folders, damaged)
    chosen = choose_run_pictures(runs, boards, records, experiment, parsed.method)
    for run, path in zip(chosen, name_files(chosen, parsed.predictions), strict=True):
        with noting(damaged):
            draw_predictions(run, path)
            # Markdown on stdout stays Markdown.
            print(f"{path}: {run.name}", file=sys.stderr if str(parsed.markdown) == "-" else sys.stdout)


def _draw_findings(parsed: argparse.Namespace, experiment: str | None, damaged: list[Damaged]) -> None:
    if parsed.findings is None:
        return
    from mtl_bench.results.findings_pictures import draw_findings, find_run_findings, findings_files, told_undrawn

    runs = find_run_findings(parsed.folders, experiment, parsed.method, damaged)
    drawn = [run for run in runs if run.panels]
    where = sys.stderr if str(parsed.markdown) == "-" else sys.stdout
    for run, path in zip(drawn, findings_files(drawn, parsed.findings), strict=True):
        draw_findings(run, path)
        print(f"{path}: {run.name}, seed {run.record['seed']}", file=where)
    if undrawn := told_undrawn(runs):
        print(undrawn, file=where)


def _draw_trade_off(parsed: argparse.Namespace, boards: "list[Board]", records: "list[Record]") -> None:
    if parsed.trade_off is None:
        return
    from mtl_bench.results.trade_off import draw_trade_off, told, trade_offs

    task, path = parsed.trade_off[0], Path(parsed.trade_off[1])
    found = trade_offs(boards, records, task)
    for board, traded in found:
        file = path if len(found) == 1 else path.with_stem(f"{path.stem}-{board.experiment}-{board.hash[:6]}")
        draw_trade_off(board, traded, task, file)
        where = sys.stderr if str(parsed.markdown) == "-" else sys.stdout
        print(f"{file}: change against single-task in %", *told(traded, task), sep="\n  ", file=where)
