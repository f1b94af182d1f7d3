"""What a person sees while a run trains."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text


class NamedBars(Progress):
    """Name and losses fold above the bar: beside it those of many tasks would push it out of the terminal."""

    def get_renderables(self) -> Iterator[RenderableType]:
        for task in self.tasks:
            yield Text.assemble((task.description, "bold"), "  ", task.fields["losses"])
        yield self.make_tasks_table(self.tasks)


class ProgressBar:
    """Name and losses; bar, share of the budget, milliseconds per step, time left. Silent off a terminal."""

    def __init__(self, name: str, shown: bool) -> None:
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

    def update(self, progress: float, losses: dict[str, float], seconds_per_step: float) -> None:
        if not self._bar.disable:
            text = "  ".join(f"{task} {loss:.3f}" for task, loss in losses.items())
            self._bar.update(self._task, completed=progress, losses=text, pace=f"{1000 * seconds_per_step:.0f} ms/step")
