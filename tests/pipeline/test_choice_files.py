"""A choice of groups as a person reads it."""

import pytest

from mtl_bench.grouping import ChosenGroups
from mtl_bench.pipeline.base import Choice
from mtl_bench.pipeline.choice_files import print_choice

TASKS = [f"task_{number}_{'q' * 60}" for number in range(11)]


@pytest.mark.parametrize("width", [80, 100])
def test_a_printed_choice_folds_long_names(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    selection = ChosenGroups(groups=(tuple(range(11)), (0, 3)), serving=(0,) * 10 + (1,), value=1.0)
    print_choice(TASKS, Choice(selection))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    assert printed.count("q") == 60 * (11 + 10 + 2 + 1)
