"""`mtl-bench validate`: whether records can stand on a board."""

import argparse
import sys
from pathlib import Path

from mtl_bench.errors import BenchError


def add_validate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("results")], help="where records lie (results)")
    parser.add_argument(
        "--reference",
        type=Path,
        default=Path("results/reference"),
        metavar="FOLDER",
        help="records that a submission is put beside (results/reference)",
    )
    parser.add_argument(
        "--config-dir", action="append", type=Path, default=[], help="where classes of yours lie, as in training"
    )
    parser.epilog = "Errors come first; warnings leave the exit status 0. How to submit: docs/tutorials/submit.md."


def validate_as_asked(parsed: argparse.Namespace) -> None:
    """One line per finding. Raises BenchError at the end when one of them is an error."""
    from mtl_bench.job.recomposed import check_meaning
    from mtl_bench.results.validation import faults_below

    if missing := [folder for folder in parsed.folders if not folder.is_dir()]:
        raise BenchError(f"There is no folder {missing[0]}; name where records lie.")
    # where a class of one's own lies
    sys.path[:0] = [str(Path.cwd()), *(str(folder.resolve()) for folder in parsed.config_dir)]
    count, faults = faults_below(parsed.folders, parsed.reference, check_meaning)
    if not count and not faults:
        raise BenchError(f"No record lies in {', '.join(map(str, parsed.folders))}.")
    for fault in faults:
        line = f"{'error' if fault.wrong else 'warning'}: {fault.path}: {fault.text}."
        print(line.replace(f"{Path.cwd()}/", ""))
    errors = sum(fault.wrong for fault in faults)
    print(f"{count} records: {errors} errors, {len(faults) - errors} warnings")
    if errors:
        what = "1 finding keeps" if errors == 1 else f"{errors} findings keep"
        raise BenchError(f"{what} these records off a board; see above.")
