"""A grid of runs in the terminal: which are finished, how far others are, and how long the rest takes."""

import time
from collections.abc import Callable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mtl_bench.records.folder import RunFolder
from mtl_bench.records.reading import Readings
from mtl_bench.records.standing import SearchStanding, Standing, seconds_left, standing
from mtl_bench.results.table_text import signed_number

PERIOD = 2.0  # seconds between two looks
MARKS = {"finished": ("✓", "green"), "diverged": ("✗", "red"), "damaged": ("!", "red"), "waiting": ("·", "dim")}
LEGEND = "✓ finished  ✗ did not converge  ! damaged  42% under way  (42%) stopped  · not begun"


def show_grid(
    asked: Mapping[RunFolder, Readings | None], watch: bool, searches: Callable[[], Sequence[SearchStanding]] = tuple
) -> None:
    """Once, or with `watch` until nothing is left to do. `asked`: each cell, and how it is read off, if known."""
    cells, found = [standing(*cell) for cell in asked.items()], searches()
    if not watch:
        Console().print(_grid(cells, found))
        return
    with Live(_grid(cells, found), auto_refresh=False) as live:
        while any(cell.state in ("running", "stopped", "waiting") for cell in cells) or any(map(_under_way, found)):
            time.sleep(PERIOD)
            cells = [cell if cell.state == "finished" else standing(cell.folder, asked[cell.folder]) for cell in cells]
            found = searches()
            live.update(_grid(cells, found), refresh=True)


def _grid(cells: Sequence[Standing], searches: Sequence[SearchStanding]) -> Group:
    experiments = dict.fromkeys(cell.folder.experiment for cell in cells)
    tables = [_table(name, [cell for cell in cells if cell.folder.experiment == name]) for name in experiments]
    tables += [_searches(searches)] if searches else []
    return Group(*tables, Text(_summary(cells), style="bold"), Text(LEGEND, style="dim"))


def _searches(searches: Sequence[SearchStanding]) -> Table:
    table = Table(title="searches", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("experiment")
    table.add_column("of", no_wrap=True)
    for header in ("trials", "best score %"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in searches:
        done = Text(f"{one.done} of {one.trials}", style="bold" if _under_way(one) else "green")
        table.add_row(one.experiment, Text(one.label), done, "" if one.best is None else signed_number(one.best))
    return table


def _under_way(search: SearchStanding) -> bool:
    return search.done < search.trials


def _table(experiment: str, cells: Sequence[Standing]) -> Table:
    seeds = sorted({cell.folder.seed for cell in cells})
    table = Table(title=experiment, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", no_wrap=True)
    for seed in seeds:
        table.add_column(str(seed), justify="right", no_wrap=True)
    table.add_column("per run", justify="right", no_wrap=True)
    rows = list(dict.fromkeys((cell.folder.method, cell.folder.hash[:12]) for cell in cells))
    for method, digits in rows:
        several = sum(name == method for name, _ in rows) > 1
        own = {c.folder.seed: c for c in cells if (c.folder.method, c.folder.hash[:12]) == (method, digits)}
        done = [cell.seconds for cell in own.values() if cell.state == "finished" and cell.seconds is not None]
        marks = [_mark(own[seed]) if seed in own else Text("") for seed in seeds]
        labels = [cell.label for cell in own.values() if cell.label]
        name = labels[0] if labels else f"{method} {digits[:6]}" if several else method
        table.add_row(Text(name), *marks, _duration(sum(done) / len(done)) if done else "")
    return table


def _mark(cell: Standing) -> Text:
    if cell.state in MARKS:
        return Text(*MARKS[cell.state])
    share = f"{cell.progress:.0%}"
    return Text(share, style="bold") if cell.state == "running" else Text(f"({share})", style="yellow")


def _summary(cells: Sequence[Standing]) -> str:
    count = {state: sum(cell.state == state for cell in cells) for state in ("finished", "diverged", "damaged")}
    running = sum(cell.state == "running" for cell in cells)
    parts = [f"{count['finished'] + count['diverged']} of {len(cells)} finished"]
    parts += [f"{count['diverged']} of them did not converge"] * bool(count["diverged"])
    parts += [f"{count['damaged']} damaged"] * bool(count["damaged"])
    left = seconds_left(cells)
    if count["finished"] + count["diverged"] + count["damaged"] < len(cells):
        at_a_time = max(1, running)
        time_left = "" if left is None else f", about {_duration(left / at_a_time)} left, {at_a_time} at a time"
        parts.append(f"{running} under way{time_left}")
    return "; ".join(parts) + "."


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
