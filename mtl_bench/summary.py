"""The table at the end of a run."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_bench.errors import BenchError
from mtl_bench.records.record import Record, find_records
from mtl_bench.results import delta_m
from mtl_bench.training.cell import Outcome
from mtl_bench.training.identity import SINGLE

Values = dict[str, dict[str, float]]


def show_run(outcome: Outcome, roots: Sequence[Path], baseline_command: str) -> dict[str, float]:
    """Print every test metric, and Δm when single-task records lie under `roots`, else the command that trains them.

    Returns what loggers get at the end.
    """
    record, console = outcome.record, Console()
    title = f"{record['experiment']['name']} · {name_of(record)} · seed {record['seed']}"
    if outcome.skipped:
        _say(console, f"{title}: finished already ({outcome.folder.path})")
        return {}
    summary = {f"test/{task}/{name}": v for task, found in record["test"].items() for name, v in found.items()}
    _say(console, f"\n{title}", style="bold")
    baselines, change, line = _compare(record, roots, baseline_command)
    console.print(_table(record, baselines))
    if line:
        _say(console, line)
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
    _say(console, f"{spent}, {record['counts']['passes']:.0f} passes · {outcome.folder.record}\n", style="dim")
    return summary


def _say(console: Console, text: str, style: str = "") -> None:
    """One line that no terminal folds, so that paths and commands can be copied."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def _compare(record: Record, roots: Sequence[Path], command: str) -> tuple[Values, float | None, str]:
    """Single-task means, Δm where it exists, and the line that says so."""
    setting = record["delta_m"]
    if record["method"]["name"] == SINGLE:
        return {}, None, ""
    try:
        baselines = single_task_means(record, roots)
        if len(baselines) < len(record["tasks"]):
            return baselines, None, f"For Δm, train the single-task baselines: {command}"
        change = delta_m(record["test"], baselines, _better(record), setting["definition"], setting["terms"])
    except BenchError as error:  # mostly about another record; this run is finished and stays so
        return {}, None, f"Δm is left out: {error}"
    return baselines, change, f"Δm {change:+.2f} % ({setting['definition']}, higher is better) against single-task"


def name_of(record: Record) -> str:
    """The method as people call it; of a single-task run, the task it was trained on."""
    label = record["method"]["label"]
    return f"{record['tasks'][0]} alone" if label == SINGLE else label


def single_task_means(record: Record, roots: Sequence[Path]) -> Values:
    """Mean test metrics of each task's single-task runs, over their seeds; tasks without one are left out."""
    wanted = {digest: task for task, digest in record["baselines"].items()}
    runs: dict[str, dict[int, Values]] = {}
    for other in find_records(roots):
        task = wanted.get(other["hash"])
        if task is not None and other["converged"] and other["selection"] == record["selection"]:
            runs.setdefault(task, {})[other["seed"]] = other["test"]
    return {
        task: {name: fmean(run[task][name] for run in found.values()) for name in record["test"][task]}
        for task, found in runs.items()
    }


def _better(record: Record) -> dict[str, dict[str, bool]]:
    return {t: {name: info["higher_is_better"] for name, info in m.items()} for t, m in record["metrics"].items()}


def _table(record: Record, baselines: Values) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for name in ("Task", "Metric", "Unit"):
        table.add_column(name)
    table.add_column("Test", justify="right")
    if baselines:
        table.add_column("Single-task", justify="right")
    for task, found in record["test"].items():
        for name, value in found.items():
            info = record["metrics"][task][name]
            cells = [task, f"{name} {'↑' if info['higher_is_better'] else '↓'}", info["unit"], f"{value:.4g}"]
            if baselines:
                cells.append(f"{baselines[task][name]:.4g}" if task in baselines else "–")
            table.add_row(*cells)
    return table
