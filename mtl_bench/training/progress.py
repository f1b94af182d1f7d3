"""What a person sees while a run trains, and what the run says to others."""

import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from mtl_bench.records.presence import note_presence

PERIOD = 2.0  # seconds between two notes


class NamedBars(Progress):
    """Name and losses fold above the bar: beside it those of many tasks would push it out of the terminal."""

    def get_renderables(self) -> Iterator[RenderableType]:
        for task in self.tasks:
            yield Text.assemble((task.description, "bold"), "  ", task.fields["losses"])
        yield self.make_tasks_table(self.tasks)


class ProgressBar:
    """Name and losses; bar, share of the budget, milliseconds per step, time left. Silent off a terminal.

    How far the run is also goes to `note`, its lock file, for `mtl-bench status`.
    """

    def __init__(self, name: str, shown: bool, note: Path | None = None) -> None:
        self._note, self._noted = note, -inf
        console = Console(stderr=True)
        self._bar = NamedBars(
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            refresh_per_second=5,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task(name, total=1.0, losses="", pace="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, progress: float, losses: dict[str, float], seconds: float, batches: int) -> None:
        """`seconds` is what `batches` took."""
        now = time.monotonic()
        if self._note is not None and now - self._noted >= PERIOD:
            note_presence(self._note, progress, seconds)
            self._noted = now
        if not self._bar.disable:
            text = "  ".join(f"{task} {loss:.3f}" for task, loss in losses.items())
            pace = f"{1000 * seconds / max(1, batches):.0f} ms/step"
            self._bar.update(self._task, completed=progress, losses=text, pace=pace)
