"""The table at the end of a run."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_bench.records.record import Record, find_records
from mtl_bench.results import delta_m
from mtl_bench.training.cell import Outcome
from mtl_bench.training.identity import SINGLE

Values = dict[str, dict[str, float]]


def show_run(outcome: Outcome, roots: Sequence[Path]) -> dict[str, float]:
    """Print every test metric, and Δm when single-task records lie under `roots`; returns what loggers get at the end."""
    record, console = outcome.record, Console()
    title = f"{record['experiment']['name']} · {record['method']['label']} · seed {record['seed']}"
    if outcome.skipped:
        console.print(
            f"{title}: finished already ({outcome.folder.path})", highlight=False, markup=False, soft_wrap=True
        )
        return {}
    single = record["method"]["name"] == SINGLE
    baselines = {} if single else single_task_means(record, roots)
    console.print(f"\n{title}", style="bold", markup=False, highlight=False)
    console.print(_table(record, baselines))
    summary = {f"test/{task}/{name}": v for task, found in record["test"].items() for name, v in found.items()}
    if len(baselines) == len(record["tasks"]):
        change = delta_m(
            record["test"], baselines, _better(record), record["delta_m"]["definition"], record["delta_m"]["terms"]
        )
        summary["delta_m"] = change
        console.print(f"Δm {change:+.2f} % ({record['delta_m']['definition']}, higher is better) against single-task")
    elif not single:
        only = ",".join(f"[{task}]" for task in record["tasks"])
        command = f"mtl-bench train -m experiment={record['experiment']['name']} 'only={only}' seed=0,1,2,3,4"
        console.print(
            f"For Δm, train the single-task baselines: {command}", highlight=False, markup=False, soft_wrap=True
        )
    if record["failures"]["nonfinite_steps"] or record["failures"]["solver"]:
        console.print(
            f"[yellow]{record['failures']['nonfinite_steps']} non-finite steps were skipped, "
            f"{record['failures']['solver']} solver residuals missed[/]"
        )
    measured = record["measured"]
    console.print(
        f"{measured['seconds']:.1f} s, {1000 * measured['seconds_per_step']:.1f} ms per step, "
        f"{record['counts']['passes']:.0f} passes · {outcome.folder.record}\n",
        style="dim",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return summary


def single_task_means(record: Record, roots: Sequence[Path]) -> Values:
    """Mean test metrics of each task's single-task runs, over their seeds; tasks without a finished run are left out."""
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
