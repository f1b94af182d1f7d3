"""`mtl-bench <verb>`."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from mtl_bench.cli.card import add_card_arguments, card
from mtl_bench.cli.compare import add_compare_arguments, compare
from mtl_bench.cli.conflict import add_conflict_arguments, conflict
from mtl_bench.cli.freeze import add_freeze_arguments, freeze
from mtl_bench.cli.rank import add_rank_arguments, rank
from mtl_bench.cli.report import add_report_arguments, report
from mtl_bench.cli.reproduce import add_reproduce_arguments, reproduce
from mtl_bench.cli.rerun import add_rerun_arguments, rerun
from mtl_bench.cli.status import add_status_arguments, status, status_of_sweep
from mtl_bench.cli.validate import add_validate_arguments, validate_as_asked
from mtl_bench.configuration.configs_folder import option_groups

ABOUT = "Multi-task learning: train a method on an experiment, leave a record, compare."
VERBS = {
    "train": "train one configuration (a Hydra job; -m sweeps) and leave one record",
    "group": "measure task affinities, choose groups within a budget, train them (a Hydra job) and leave one entry",
    "recon": "measure in which layers tasks conflict, give every task its own copy of these, train (a Hydra job)",
    "tune": "the same search for every method and every task alone, winners on fresh seeds: method=A,B trials=20",
    "prepare": "read raw official files once and write packed arrays: dataset=NAME [source=FOLDER]",
    "cost": "time a step of every method on a model, beside a plain step and K backward passes: model=NAME k=4",
    "status": "where runs stand and how long they still take: [FOLDER …] or -m and a sweep; --watch looks again",
    "report": "turn records into tables (terminal or Markdown) and plots",
    "rerun": "train again what a record says, print the command, and compare: RECORD",
    "reproduce": "published tables: what their cells say of their Δm, and our numbers beside them",
    "compare": "two methods of one board, per task and in Δm: who gains what, with intervals, and a plot",
    "rank": "mean ranks on the complete grid of a suite, and how far they move when something is left out",
    "conflict": "measured gradient conflict against what tasks gain or lose, over all runs and boards, as a scatter",
    "freeze": "write the next version of the leaderboard, which never changes, or check those that are there",
    "card": "a method's report card: what its sources say, and how it fares on all committed boards",
    "validate": "check that records can stand on a board: schema, hash, completeness, plausibility: [FOLDER …]",
    "list": "describe what can be chosen: every option of every group, or of one",
    "doctor": "say what is installed, which device and data are found, and what is wrong",
}

HYDRA = ("train", "group", "recon", "tune", "prepare", "cost")  # verbs whose arguments Hydra reads


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
    parser = argparse.ArgumentParser(prog="mtl-bench", description=ABOUT, epilog="--debug shows tracebacks.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, text in VERBS.items():
        if verb in HYDRA:  # shown here; `_run` hands them to Hydra
            verbs.add_parser(verb, help=text, add_help=False)
            continue
        own = verbs.add_parser(verb, help=text, description=text)
        add_arguments, action = PARSED[verb]
        add_arguments(own)
        own.set_defaults(action=action)
    return parser


def _add_listing_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("group", nargs="?", help=", ".join(option_groups()))


def _list(parsed: argparse.Namespace) -> None:
    from mtl_bench.cli.listing import show_listing

    show_listing(parsed.group)


def _doctor(_: argparse.Namespace) -> None:
    from mtl_bench.cli.doctor import examine

    if not examine():
        sys.exit(1)


# verbs that argparse reads: what adds their arguments, and what is done with them
PARSED: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]]] = {
    "status": (add_status_arguments, status),
    "report": (add_report_arguments, report),
    "rerun": (add_rerun_arguments, rerun),
    "reproduce": (add_reproduce_arguments, reproduce),
    "compare": (add_compare_arguments, compare),
    "rank": (add_rank_arguments, rank),
    "conflict": (add_conflict_arguments, conflict),
    "freeze": (add_freeze_arguments, freeze),
    "card": (add_card_arguments, card),
    "validate": (add_validate_arguments, validate_as_asked),
    "list": (_add_listing_arguments, _list),
    "doctor": (lambda _: None, _doctor),
}
