"""The table at the end of a run."""

from collections.abc import Sequence
from math import isfinite

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records.record import SINGLE, Record, has_converged
from mtl_bench.results.baselines import delta_m_of, single_task_means
from mtl_bench.training.cell import Outcome

Values = dict[str, dict[str, float]]


def show_finished(outcome: Outcome) -> None:
    """One line for a cell that had nothing left to do."""
    lost = _lost(outcome.record)
    _say(Console(), f"{_title(outcome.record)}: finished already ({outcome.folder.path})" + (f". {lost}" * bool(lost)))


def show_run(
    outcome: Outcome, singles: Sequence[Record], damaged: Sequence[Damaged], baseline_command: str
) -> dict[str, float]:
    """Print every test metric, Δm against the single-task records or the command that trains them, and what went wrong.

    `damaged` are records that could not be asked. A run that did not converge says so in its last line; its exit
    status is 0 all the same, because its record is there, boards rank it last, and the same command would change
    nothing. Returns what loggers get at the end.
    """
    record, console = outcome.record, Console()
    summary = {f"test/{task}/{name}": v for task, found in record["test"].items() for name, v in found.items()}
    _say(console, f"\n{_title(record)}", style="bold")
    baselines, change, line = _compare(record, singles, baseline_command)
    console.print(_table(record, baselines))
    if line:
        _say(console, line)
    for error in damaged:
        _say(console, str(error), style="yellow")
    if change is not None:
        summary["delta_m"] = change
    failures = record["failures"]
    if failures["nonfinite_steps"] or failures["solver"]:
        counts = (
            f"{failures['nonfinite_steps']} non-finite steps were skipped, {failures['solver']} solver residuals missed"
        )
        _say(console, counts, style="yellow")
    measured = record["measured"]
    spent = f"{measured['seconds']:.1f} s, {1000 * measured['seconds_per_step']:.1f} ms per step"
    lost = _lost(record)
    end = "" if lost else "\n"
    _say(console, f"{spent}, {record['counts']['passes']:.0f} passes\n{outcome.folder.record}{end}", style="dim")
    if lost:
        _say(console, lost, style="bold red")
    return summary


def _title(record: Record) -> str:
    return f"{record['experiment']['name']} · {name_of(record)} · seed {record['seed']}"


def _lost(record: Record) -> str:
    """That a run did not converge, and why; empty for one that did."""
    if has_converged(record):
        return ""
    skipped, steps = record["failures"]["nonfinite_steps"], record["counts"]["optimizer_steps"]
    finite = all(isfinite(value) for found in record["test"].values() for value in found.values())
    return (
        f"This run did not converge: {skipped} of {steps} steps had a non-finite loss or gradient and were skipped"
        f"{'' if finite else ', and test values are not finite'}; lower the learning rate or set "
        "protocol.training.clip_norm=1."
    )


def _say(console: Console, text: str, style: str = "") -> None:
    """One line that no terminal folds, so that paths and commands can be copied."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def _compare(record: Record, singles: Sequence[Record], command: str) -> tuple[Values, float | None, str]:
    """Single-task means, Δm where it exists, and the line that says so."""
    setting = record["delta_m"]
    if record["method"]["name"] == SINGLE:
        return {}, None, ""
    try:
        baselines = single_task_means(record, singles)
        if not has_converged(record):
            return baselines, None, ""
        if missing := [task for task in record["baselines"] if task not in baselines]:
            return baselines, None, _missing(record, missing, singles, command)
        change = delta_m_of(record, baselines)
    except BenchError as error:  # a baseline of zero; this run is finished and stays so
        return {}, None, f"Δm is left out: {error}"
    told = f"Δm {change:+.2f} % ({setting['definition']}, higher is better) against single-task"
    return baselines, change, f"{told}, {_seeds(record, singles)}"


def _seeds(record: Record, singles: Sequence[Record]) -> str:
    """Over how many seeds the means are taken: a board takes all that there are at last."""
    used = [{one["seed"] for one in singles if one["hash"] == digest} for digest in record["baselines"].values()]
    counts = sorted({len(seeds) for seeds in used})
    told = " to ".join(map(str, [counts[0], *counts[1:][-1:]]))
    return f"{told} seed{'s' * (counts[-1] > 1)}"


def _missing(record: Record, missing: Sequence[str], singles: Sequence[Record], command: str) -> str:
    gone = [one for one in singles if not has_converged(one)]
    if lost := [task for task in missing if record["baselines"][task] in {one["hash"] for one in gone}]:
        seeds = ", ".join(map(str, sorted({one["seed"] for one in gone})))
        return f"Δm is left out: the single-task run of {', '.join(lost)} did not converge with seed {seeds}."
    return f"For Δm, train the single-task baselines: {command}"


def name_of(record: Record) -> str:
    """The method as people call it; of a single-task run, the task it was trained on."""
    label = record["method"]["label"]
    return f"{record['tasks'][0]} alone" if label == SINGLE else label


def _table(record: Record, baselines: Values) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for name in ("Task", "Metric", "Unit"):
        table.add_column(name, overflow="fold")
    table.add_column("Test", justify="right", no_wrap=True)
    if baselines:
        table.add_column("Single-task", justify="right", no_wrap=True)
    for task, found in record["test"].items():
        for name, value in found.items():
            info = record["metrics"][task][name]
            cells = [task, f"{name} {'↑' if info['higher_is_better'] else '↓'}", info["unit"], f"{value:.4g}"]
            if baselines:
                cells.append(f"{baselines[task][name]:.4g}" if task in baselines else "–")
            table.add_row(*cells)
    return table
