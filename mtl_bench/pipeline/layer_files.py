"""A choice of layers as a table, a file and a picture a person can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import write_atomic
from mtl_bench.results.layer_pictures import draw_layers


def write_layers(folder: Path, scores: Mapping[str, int], pairs: int, split: Sequence[str]) -> None:
    """`layers.csv` and `layers.png`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"{folder} cannot be created ({error.strerror}); choose another paths.runs.") from error
    rows = [f"{name},{score},{pairs},{str(name in split).lower()}\n" for name, score in scores.items()]
    write_atomic(folder / "layers.csv", "layer,conflicts,pairs,split\n" + "".join(rows))
    title = f"Conflicts by layer; dark: the {len(split)} that every task gets a copy of"
    draw_layers(scores, pairs, split, title, folder / "layers.png")


def layer_table(scores: Mapping[str, int], pairs: int, split: Sequence[str]) -> Table:
    """The layers that are split, those with most conflicts first."""
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    table.add_column("Layer once per task", overflow="fold")
    table.add_column("Conflicts", justify="right")
    table.add_column("% of pairs", justify="right")
    for name in sorted(split, key=lambda name: -scores[name]):
        table.add_row(name, str(scores[name]), f"{100 * scores[name] / max(1, pairs):.1f}")
    return table
