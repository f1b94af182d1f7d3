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
Panel = Callable[["Axes"], None]


@dataclass(frozen=True)
class RunFindings:
    """A finished run whose method, or whose diagnostics, have something to show."""

    record: Record
    conflicts: tuple[np.ndarray, np.ndarray] | None  # mean cosine and % of batches with a negative one, [K, K]

    @property
    def name(self) -> str:
        return f"{self.record['experiment']['name']}-{self.record['method']['name']}"


def find_run_findings(
    roots: Iterable[Path], experiment: str | None, method: str | None, damaged: list[Damaged] | None = None
) -> list[RunFindings]:
    """The lowest seed of each configuration. Raises BenchError when there is nothing to draw.

    Records and histories that cannot be used are told to `damaged`; None: the first one is raised.
    """
    runs: dict[str, RunFindings] = {}
    for path in sorted({path.resolve() for root in roots for path in root.rglob(RECORD_NAME)}):
        with noting(damaged):
            record = load_record(path)
            if experiment not in (None, record["experiment"]["name"]) or method not in (None, record["method"]["name"]):
                continue
            run = RunFindings(record, read_conflicts(path.with_name(HISTORY_NAME), record["tasks"]))
            known = runs.get(record["hash"])
            if (run.conflicts or record.get("findings")) and (known is None or record["seed"] < known.record["seed"]):
                runs[record["hash"]] = run
    if not runs:
        raise BenchError(
            "No run here has findings to draw: methods that measure affinities or choose groups or channels leave "
            "some, and diagnostics.every=10 lets any method tell its conflicts."
        )
    return list(runs.values())


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
    """One row per kind of finding; the suffix of `path` chooses the format."""
    from matplotlib.figure import Figure  # late: half a second

    record = run.record
    tasks, rows = record["tasks"], []
    if run.conflicts:
        titles = ("mean cosine of gradients", "% of batches in conflict")
        rows.append(
            [partial(matrix_panel, matrix=m, tasks=tasks, title=t) for m, t in zip(run.conflicts, titles, strict=True)]
        )
    epochs = record.get("findings") or []
    last = epochs[-1] if epochs else {}
    if matrices := [
        partial(matrix_panel, matrix=m, tasks=tasks, title=name) for name, m in _matrices(last, len(tasks))
    ]:
        rows.append(matrices)
    if "layers" in last:
        scores = dict(zip(last["layers"], last["conflicts"], strict=True))
        rows.append([partial(layers_panel, scores=scores, pairs=last["pairs"], chosen=scores)])
    if "groups" in last:
        rows.append([partial(_groups_panel, epochs=epochs, tasks=tasks)])
    for name, value in last.items():
        if are_shares(value, len(tasks)) and all(are_shares(one.get(name), len(tasks)) for one in epochs):
            rows.append(
                [partial(_share_panel, epochs=epochs, name=name, task=t, number=n) for n, t in enumerate(tasks)]
            )
    widest = max(map(len, rows))
    side = 1.8 + INCH * max(len(tasks), 4)
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


def _matrices(found: Mapping[str, Any], K: int) -> list[tuple[str, Float[np.ndarray, "K K"]]]:
    square = {
        name: value
        for name, value in found.items()
        if isinstance(value, list) and len(value) == K and all(isinstance(row, list) and len(row) == K for row in value)
    }
    return [
        (name, np.array(value, dtype=float))
        for name, value in square.items()
        if not any(isinstance(cell, str) for row in value for cell in row)
    ]


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


def read_conflicts(history: Path, tasks: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean cosine and % of batches with a negative one, from what diagnostics wrote; None where that is nothing.

    Raises Damaged.
    """
    try:
        found = probed_cosines(History(history).rows(), tasks)
    except (OSError, TypeError) as error:  # TypeError: lines that are no objects
        raise Damaged(f"{history} is damaged ({error}); delete it.") from error
    if not found:
        return None
    mean, negative = (np.full((len(tasks), len(tasks)), np.nan) for _ in range(2))
    for (i, j), cosines in found.items():
        mean[i, j] = mean[j, i] = np.mean(cosines)
        negative[i, j] = negative[j, i] = 100 * np.mean(np.less(cosines, 0))
    return mean, negative
