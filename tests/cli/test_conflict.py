"""`mtl-bench conflict`: what committed runs measured, as a table and a picture."""

from pathlib import Path

from tests.cli.conftest import Type

RESULTS = Path(__file__).parents[2] / "results"


def test_committed_runs_that_measured_their_gradients(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("conflict", str(RESULTS / "grouping"), "--plot", "conflict.png")
    assert typed.status == 0, typed.err
    assert "sarcos" in typed.out
    assert "all, ranked within boards" in typed.out
    assert (folder / "conflict.png").read_bytes().startswith(b"\x89PNG")


def test_runs_without_measurements_say_how_to_make_them(mtl_bench: Type) -> None:
    typed = mtl_bench("conflict")
    assert typed.status == 1
    assert "train with diagnostics.every=10 and single_task=true." in typed.sentence
