"""`mtl-bench <verb>`: train and group tasks, then read what records say."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from mtl_bench.cli.compare import add_compare_arguments, compare
from mtl_bench.cli.conflict import add_conflict_arguments, conflict
from mtl_bench.cli.freeze import add_freeze_arguments, freeze
from mtl_bench.cli.rank import add_rank_arguments, rank
from mtl_bench.cli.report import add_report_arguments, report
from mtl_bench.cli.rerun import add_rerun_arguments, rerun
from mtl_bench.cli.status import add_status_arguments, status, status_of_sweep
from mtl_bench.configuration.configs_folder import option_groups

VERBS = {
    "train": "train one configuration (a Hydra job; -m sweeps) and leave one record",
    "group": "measure task affinities, choose groups within a budget, train them (a Hydra job) and leave one entry",
    "prepare": "read raw official files once and write packed arrays: dataset=NAME [source=FOLDER]",
    "cost": "time a step of every method on a model, beside a plain step and K backward passes: model=NAME k=4",
    "status": "where runs stand and how long they still take: [FOLDER …] or -m and a sweep; --watch looks again",
    "report": "turn records into tables (terminal or Markdown) and plots",
    "rerun": "train again what a record says, print the command, and compare: RECORD",
    "compare": "two methods of one board, per task and in Δm: who gains what, with intervals, and a plot",
    "rank": "mean ranks on the complete grid of a suite, and how far they move when something is left out",
    "conflict": "measured gradient conflict against what tasks gain or lose, over all runs and boards, as a scatter",
    "freeze": "write the next version of the leaderboard, which never changes, or check those that are there",
    "list": "describe what can be chosen: every option of every group, or of one",
    "doctor": "say what is installed, which device and data are found, and what is wrong",
}

HYDRA = ("train", "group", "prepare", "cost")  # verbs whose arguments Hydra reads


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
    if verb == "status" and not {"-m", "--multirun"}.isdisjoint(arguments):
        status_of_sweep(arguments[1:], debug)
        return
    if verb in HYDRA:  # Hydra reads the rest
        from mtl_bench.cli.hydra_verbs import hydra_verb

        hydra_verb(verb, arguments[1:], debug)
        return
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments or ["--help"])
    if any(override.startswith("-") or "=" not in override for override in rest) or (rest and verb != "rerun"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.overrides = rest  # wherever they stand among the flags, as Hydra takes them
    action: Callable[[argparse.Namespace], None] = parsed.action
    action(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mtl-bench", description=__doc__, epilog="--debug shows tracebacks.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in HYDRA:  # shown here; `_run` hands them to Hydra
        verbs.add_parser(verb, help=VERBS[verb], add_help=False)
    standing = verbs.add_parser("status", help=VERBS["status"], description=VERBS["status"])
    add_status_arguments(standing)
    standing.set_defaults(action=status)
    reporting = verbs.add_parser("report", help=VERBS["report"], description=VERBS["report"])
    add_report_arguments(reporting)
    reporting.set_defaults(action=report)
    rerunning = verbs.add_parser("rerun", help=VERBS["rerun"], description=VERBS["rerun"])
    add_rerun_arguments(rerunning)
    rerunning.set_defaults(action=rerun)
    comparing = verbs.add_parser("compare", help=VERBS["compare"], description=VERBS["compare"])
    add_compare_arguments(comparing)
    comparing.set_defaults(action=compare)
    ranking = verbs.add_parser("rank", help=VERBS["rank"], description=VERBS["rank"])
    add_rank_arguments(ranking)
    ranking.set_defaults(action=rank)
    measuring = verbs.add_parser("conflict", help=VERBS["conflict"], description=VERBS["conflict"])
    add_conflict_arguments(measuring)
    measuring.set_defaults(action=conflict)
    freezing = verbs.add_parser("freeze", help=VERBS["freeze"], description=VERBS["freeze"])
    add_freeze_arguments(freezing)
    freezing.set_defaults(action=freeze)
    listing = verbs.add_parser("list", help=VERBS["list"], description=VERBS["list"])
    listing.add_argument("group", nargs="?", help=", ".join(option_groups()))
    listing.set_defaults(action=_list)
    doctor = verbs.add_parser("doctor", help=VERBS["doctor"], description=VERBS["doctor"])
    doctor.set_defaults(action=_doctor)
    return parser


def _list(parsed: argparse.Namespace) -> None:
    from mtl_bench.cli.listing import show_listing

    show_listing(parsed.group)


def _doctor(parsed: argparse.Namespace) -> None:
    from mtl_bench.cli.doctor import examine

    if not examine():
        sys.exit(1)
