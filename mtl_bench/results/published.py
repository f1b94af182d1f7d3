"""Published method orders: Δm as papers print it, read from small CSV extracts."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from mtl_bench.errors import BenchError
from mtl_bench.results.transfer import Order

COLUMNS = ("method", "printed_as", "dataset", "metric", "direction", "value")
SIGNS = {"higher": 1, "lower": -1}  # papers print Δm lower-is-better; ours is higher-is-better, always


def published_orders(folder: Path) -> list[Order]:
    """One order per CSV file of the folder, by file name. Raises BenchError when there is none."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise BenchError(f"{folder} holds no published table (*.csv); name the folder that does.")
    return [published_order(path) for path in paths]


def published_order(path: Path) -> Order:
    """The order of one printed table, each value with the sign turned where the paper's Δm is lower-is-better.

    A file holds one protocol: one source, data set, backbone and metric. `method` is the name of our method,
    `printed_as` the paper's. Raises BenchError when the file cannot be read, mixes protocols, names a method twice or
    a value is no number.
    """
    rows = _rows(path)
    for column in ("source", "dataset", "backbone", "metric", "direction"):
        if len(found := {row.get(column) for row in rows}) > 1:
            raise BenchError(f"{path} mixes several values of {column!r} ({found}); keep one protocol per file.")
    values = {row["method"]: _value(path, row) for row in rows}
    if len(values) < len(rows):
        raise BenchError(f"{path} names a method twice; keep one row of each.")
    return Order(f"{rows[0]['dataset']} (published)", values)


def _rows(path: Path) -> Sequence[Mapping[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise BenchError(f"{path} cannot be read ({error.strerror}); check the path and its permissions.") from error
    if not rows or (missing := [column for column in COLUMNS if not rows[0].get(column)]):
        lacks = f"column {missing[0]!r}" if rows else "rows"
        raise BenchError(f"{path} has no {lacks}; a published table needs {', '.join(COLUMNS)}.")
    return rows


def _value(path: Path, row: Mapping[str, str]) -> float:
    try:
        return SIGNS[row["direction"]] * float(row["value"])
    except (KeyError, ValueError) as error:
        raise BenchError(
            f"{path}, {row['printed_as']}: {row['direction']!r} {row['value']!r} is not 'higher' or 'lower' with a "
            "number; copy the row as printed."
        ) from error
