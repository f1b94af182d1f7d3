"""`mtl-bench conflict`: what committed runs measured, as a table and a picture."""

from pathlib import Path

from tests.cli.conftest import Type

ROOT = Path(__file__).parents[2]
FOLDERS = [str(ROOT / "results" / name) for name in ("grouping", "reference/rooms", "reference/multifashion_mnist")]


def test_committed_runs_that_measured_their_gradients(mtl_bench: Type, folder: Path) -> None:
    """The table stands in docs/boards/index.md."""
    typed = mtl_bench("conflict", *FOLDERS, "--plot", "conflict.png")
    assert typed.status == 0, typed.err
    table = [line.rstrip() for line in typed.out.partition("Cosines are")[0].splitlines()]
    assert "all, ranked within boards" in table[-1]
    assert "\n".join(table) in (ROOT / "docs/boards/index.md").read_text()
    assert (folder / "conflict.png").read_bytes().startswith(b"\x89PNG")


def test_runs_without_measurements_say_how_to_make_them(mtl_bench: Type) -> None:
    typed = mtl_bench("conflict")
    assert typed.status == 1
    assert "train with diagnostics.every=10 and single_task=true." in typed.sentence
