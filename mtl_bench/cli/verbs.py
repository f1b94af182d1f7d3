"""`mtl-bench <verb>`: train, group, recon, prepare, cost, report, list, doctor."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from mtl_bench.cli.report import add_report_arguments, report
from mtl_bench.configuration.configs_folder import option_groups

VERBS = {
    "train": "train one configuration (a Hydra job; -m sweeps) and leave one record",
    "group": "measure task affinities, choose groups within a budget, train them (a Hydra job) and leave one entry",
    "recon": "measure in which layers tasks conflict, give every task its own copy of these, train (a Hydra job)",
    "prepare": "read raw official files once and write packed arrays: dataset=NAME [source=FOLDER]",
    "cost": "time a step of every method on a model, beside a plain step and K backward passes: model=NAME k=4",
    "report": "turn records into tables (terminal or Markdown) and plots",
    "list": "describe what can be chosen: every option of every group, or of one",
    "doctor": "say what is installed, which device and data are found, and what is wrong",
}

HYDRA = ("train", "group", "recon", "prepare", "cost")  # verbs whose arguments Hydra reads


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
    reporting = verbs.add_parser("report", help=VERBS["report"], description=VERBS["report"])
    add_report_arguments(reporting)
    reporting.set_defaults(action=report)
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
