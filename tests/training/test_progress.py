"""What a person sees while a run trains."""

import io

import pytest
from rich.console import Console

from mtl_bench.training.progress import ProgressBar

TASKS = [f"principal_curvature_{number}" for number in range(11)]


@pytest.mark.parametrize("width", [80, 100])
def test_losses_of_many_tasks_push_nothing_out_of_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = ProgressBar("rooms11_task_norm · round_robin (phase=1) · seed 0", shown=True)
    bar.update(0.25, dict.fromkeys(TASKS, 0.1234), 3.5, 10)
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(bar._bar.get_renderable())
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in stream.getvalue()
    words = " ".join(stream.getvalue().split())
    for task in TASKS:
        assert f"{task} 0.123" in words
    for shown in ("round_robin (phase=1) · seed 0", "25%", "350 ms/step"):
        assert shown in words
