"""Pictures of what methods find out: affinities, conflicts, groups over time, shares of channels over time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.records import Record
from mtl_bench.records.folder import HISTORY_NAME
from mtl_bench.records.history import History
from mtl_bench.records.probed_cosines import probed_cosines
from mtl_bench.records.record import RECORD_NAME, load_record
from mtl_bench.results.grouping_pictures import matrix_panel, save_figure
from mtl_bench.results.layer_pictures import layers_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCH = 0.42  # per task, at least
MEAN_COSINE = "mean cosine of gradients"
Panel = Callable[["Axes"], None]


@dataclass(frozen=True)
class RunFindings:
    """A finished run whose method, or whose diagnostics, tell something; `conflicts` as `read_conflicts` has them."""

    record: Record
    conflicts: Mapping[str, Float[np.ndarray, "K K"]]

    @property
    def name(self) -> str:
        return f"{self.record['experiment']['name']}-{self.record['method']['name']}"

    @property
    def panels(self) -> list[list[Panel]]:
        """A line for each kind of finding; empty where nothing has a picture, as with numbers alone."""
        tasks, epochs = self.record["tasks"], self.record.get("findings") or []
        last = epochs[-1] if epochs else {}
        tables = (self.conflicts, square_findings(last, len(tasks)))
        lines: list[list[Panel]] = [
            [partial(matrix_panel, matrix=matrix, tasks=tasks, title=title) for title, matrix in table.items()]
            for table in tables
            if table
        ]
        if "layers" in last:
            scores = dict(zip(last["layers"], last["conflicts"], strict=True))
            lines.append([partial(layers_panel, scores=scores, pairs=last["pairs"], chosen=scores)])
        if "groups" in last:
            lines.append([partial(_groups_panel, epochs=epochs, tasks=tasks)])
        for name, value in last.items():
            if are_shares(value, len(tasks)) and all(are_shares(one.get(name), len(tasks)) for one in epochs):
                lines.append(
                    [partial(_share_panel, epochs=epochs, name=name, task=t, number=n) for n, t in enumerate(tasks)]
                )
        return lines


def find_run_findings(
    roots: Iterable[Path], experiment: str | None, method: str | None, damaged: list[Damaged] | None = None
) -> list[RunFindings]:
    """The lowest seed of each configuration, of those with something to draw where there are such. Raises BenchError
    when there is nothing to draw at all.

    Records and histories that cannot be used are told to `damaged`; None: the first one is raised.
    """
    runs: dict[str, RunFindings] = {}
    bare = False
    for path in sorted({path.resolve() for root in roots for path in root.rglob(RECORD_NAME)}):
        with noting(damaged):
            record = load_record(path)
            if experiment not in (None, record["experiment"]["name"]) or method not in (None, record["method"]["name"]):
                continue
            run = RunFindings(record, read_conflicts(path, record))
            bare = bare or "shares" in record
            if run.conflicts or record.get("findings"):
                known = runs.setdefault(record["hash"], run)
                runs[record["hash"]] = min(known, run, key=lambda one: (not one.panels, one.record["seed"]))
    if not any(run.panels for run in runs.values()):
        raise BenchError(_nothing_drawn(list(runs.values()), bare))
    return list(runs.values())


def _nothing_drawn(runs: Sequence[RunFindings], bare: bool) -> str:
    """`bare`: whether a run was trained with diagnostics of which its record keeps the shares alone."""
    if runs:
        return f"{told_undrawn(runs)} Choose other runs, or read record.json."
    if bare:
        return (
            f"Runs here were trained with diagnostics, but their records hold no cosines and no {HISTORY_NAME} lies "
            "beside them; train them again to draw their conflicts."
        )
    return (
        "No run here has findings to draw: methods that measure affinities or choose groups or channels leave some, "
        "and diagnostics.every=10 lets any method tell its conflicts."
    )


def told_undrawn(runs: Sequence[RunFindings]) -> str:
    """One sentence about those of which nothing can be drawn; empty where there are none."""
    names = dict.fromkeys(run.name for run in runs if not run.panels)
    return f"Findings without a picture, as they are numbers alone: {', '.join(names)}." if names else ""


def findings_files(runs: Sequence[RunFindings], path: Path) -> list[Path]:
    """`path` for one run, else a file beside it per run."""
    if len(runs) == 1:
        return [path]
    names = [run.name for run in runs]
    return [
        path.with_stem(f"{path.stem}-{run.name}" + ("" if names.count(run.name) == 1 else f"-{run.record['hash'][:6]}"))
        for run in runs
    ]


def draw_findings(run: RunFindings, path: Path) -> None:
    """One row per kind of finding, at least one; the suffix of `path` chooses the format."""
    from matplotlib.figure import Figure  # late: half a second

    record, rows = run.record, run.panels
    widest = max(map(len, rows))
    side = 1.8 + INCH * max(len(record["tasks"]), 4)
    figure = Figure(figsize=(side * widest + 0.5, side * len(rows) + 0.4), layout="constrained")
    figure.suptitle(
        f"{record['experiment']['name']} · {record['method']['label']} · seed {record['seed']}", fontsize=10
    )
    grid = figure.subplots(len(rows), widest, squeeze=False)
    for line, panels in zip(grid, rows, strict=True):
        for axes, panel in zip(line, panels, strict=False):
            panel(axes)
        for axes in line[len(panels) :]:
            axes.axis("off")
    save_figure(figure, path)


def are_shares(value: Any, count: int) -> bool:
    """Whether a finding is layer → a number for each of `count` tasks, which is drawn; others are for readers."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(layer, list) and len(layer) == count for layer in value.values())
        and all(isinstance(share, int | float) for layer in value.values() for share in layer)
    )


def square_findings(found: Mapping[str, Any], K: int) -> dict[str, Float[np.ndarray, "K K"]]:
    """Name → matrix between tasks, of what a method found after one epoch; NaN where a pair has no number."""
    return {name: np.array(value, dtype=float) for name, value in found.items() if _is_square(value, K)}


def _is_square(value: Any, K: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == K
        and all(isinstance(row, list) and len(row) == K for row in value)
        and not any(isinstance(cell, str) for row in value for cell in row)
    )


def _groups_panel(axes: "Axes", epochs: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> None:
    """Tasks with one colour in an epoch are updated together."""
    table: Int[np.ndarray, "K epochs"] = np.zeros((len(tasks), len(epochs)), dtype=int)
    for column, found in enumerate(epochs):
        for group in found["groups"]:
            table[[tasks.index(task) for task in group], column] = min(tasks.index(task) for task in group)
    axes.imshow(table, cmap="tab20", vmin=0, vmax=19, aspect="auto", interpolation="nearest")
    _over_time(axes, epochs, "groups at the end of each epoch")
    axes.set_yticks(range(len(tasks)), tasks, fontsize=8)


def _share_panel(axes: "Axes", epochs: Sequence[Mapping[str, Any]], name: str, task: str, number: int) -> None:
    """Layers from input to output, downwards; dark: the task owns much of the layer."""
    layers = list(epochs[-1][name])
    shares = np.array([[found[name][layer][number] for found in epochs] for layer in layers])
    most = max(max(found[name][layer]) for found in epochs for layer in layers)  # one scale for all tasks
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=most, aspect="auto", interpolation="nearest")
    _over_time(axes, epochs, f"{name}: {task}, {100 * shares[:, -1].mean():.0f} % in the end")
    axes.set_yticks(range(len(layers)), layers if number == 0 else [""] * len(layers), fontsize=5)


def _over_time(axes: "Axes", epochs: Sequence[Mapping[str, Any]], title: str) -> None:
    marks = range(0, len(epochs), max(1, len(epochs) // 6))
    axes.set_xticks(list(marks), [str(epochs[mark]["epoch"]) for mark in marks], fontsize=7)
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_title(title, fontsize=8, loc="left")
    axes.tick_params(length=0)


def read_conflicts(path: Path, record: Record) -> dict[str, Float[np.ndarray, "K K"]]:
    """What diagnostics measured between gradients: mean cosine and % of batches with a negative one, by what it is.

    From the history beside the record's file; where that lies elsewhere, the mean alone, which the record keeps. Empty
    without diagnostics. Raises Damaged.
    """
    history, tasks = path.with_name(HISTORY_NAME), record["tasks"]
    try:
        found = probed_cosines(History(history).rows(), tasks)
    except (OSError, TypeError) as error:  # TypeError: lines that are no objects
        raise Damaged(f"{history} is damaged ({error}); delete it.") from error
    if not found:
        kept = square_findings({MEAN_COSINE: record.get("cosines")}, len(tasks))
        for matrix in kept.values():
            np.fill_diagonal(matrix, np.nan)  # the 1 of a task with itself tells nothing and would set the scale
        return kept
    mean, negative = (np.full((len(tasks), len(tasks)), np.nan) for _ in range(2))
    for (i, j), cosines in found.items():
        mean[i, j] = mean[j, i] = np.mean(cosines)
        negative[i, j] = negative[j, i] = 100 * np.mean(np.less(cosines, 0))
    return {MEAN_COSINE: mean, "% of batches in conflict": negative}
