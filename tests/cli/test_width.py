"""Tables fit the terminal, and nothing in them is cut."""

import pytest
from rich.cells import cell_len

from tests.cli.conftest import FAST, Type
from tests.cli.console import Typed

LONG = "data_" + "x" * 150


@pytest.fixture(params=[80, 100])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def at_width(mtl_bench: Type, width: int) -> Type:
    def typed(*arguments: str, before: str = "") -> Typed:
        terminal = f"import os; os.environ['COLUMNS'] = '{width}'\n"
        return mtl_bench(*arguments, before=terminal + before)

    return typed


def longest(text: str) -> int:
    """Of all lines but those that are to be copied."""
    return max(cell_len(line.rstrip()) for line in text.splitlines() if "mtl-bench train" not in line)


@pytest.mark.parametrize("arguments", [["list"], ["doctor"], ["report"], ["report", "--wide"]], ids=" ".join)
def test_a_verb_fits(arguments: list[str], at_width: Type, width: int) -> None:
    typed = at_width(*arguments)
    assert typed.status == 0, typed.err
    assert longest(typed.out.replace("=…", "")) <= width
    assert "…" not in typed.out.replace("=…", "")


def test_doctor_folds_a_long_path(at_width: Type, width: int) -> None:
    typed = at_width("doctor", before=f"os.environ['MTL_BENCH_DATA'] = '{LONG}'")
    assert longest(typed.out) <= width
    assert LONG in "".join(typed.out.split())


@pytest.mark.parametrize("baselines", [[], ["single_task=true"]], ids=["alone", "with baselines"])
def test_the_end_of_a_run_fits(baselines: list[str], at_width: Type, width: int) -> None:
    typed = at_width("train", *FAST, "seed=1", *baselines)
    assert typed.status == 0, typed.err
    assert longest(typed.out) <= width
    assert "accuracy ↑" in typed.words
