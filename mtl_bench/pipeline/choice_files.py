"""A choice of groups as files a person can read."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.base import Choice
from mtl_bench.records.atomic import write_atomic
from mtl_bench.results.grouping_pictures import draw_matrix, draw_serving


def write_choice(folder: Path, tasks: Sequence[str], choice: Choice) -> None:
    """`groups.md`, `serving.png` and, where pairs decided, `matrix.csv` and `matrix.png`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"{folder} cannot be created ({error.strerror}); choose another paths.runs.") from error
    if choice.matrix is not None:
        rows = [[task, *(f"{value:.6g}" for value in row)] for task, row in zip(tasks, choice.matrix, strict=True)]
        write_atomic(folder / "matrix.csv", "".join(",".join(row) + "\n" for row in [["source", *tasks], *rows]))
        draw_matrix(
            choice.matrix, tasks, "Effect of a source (row) on a target (column), higher helps", folder / "matrix.png"
        )
    chosen = choice.chosen
    lines = ["| network | trains | serves |", "| ---: | --- | --- |"]
    lines += [f"| {number} | {trains} | {serves} |" for number, trains, serves in _networks(tasks, choice)]
    if isfinite(chosen.value):
        lines += ["", f"Mean predicted score of the serving networks: {chosen.value:.6g}."]
    write_atomic(folder / "groups.md", "\n".join(lines) + "\n")
    draw_serving(tasks, chosen.groups, chosen.serving, folder / "serving.png")


def print_choice(tasks: Sequence[str], choice: Choice) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for name in ("Network", "Trains", "Serves"):
        table.add_column(name, overflow="fold")
    for row in _networks(tasks, choice):
        table.add_row(*row)
    Console().print(table)


def _networks(tasks: Sequence[str], choice: Choice) -> list[tuple[str, str, str]]:
    groups, serving, _ = choice.chosen
    return [
        (
            str(number + 1),
            ", ".join(tasks[task] for task in members),
            ", ".join(task for task, by in zip(tasks, serving, strict=True) if by == number),
        )
        for number, members in enumerate(groups)
    ]
