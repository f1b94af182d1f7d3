"""The published tables: `tables.yaml` says which rows of the CSV files make one, and what its Δm is taken over."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from mtl_bench.errors import BenchError
from mtl_bench.results.change import Terms
from mtl_bench.results.published.printed import Printed, read_printed
from mtl_bench.results.published.yaml_map import yaml_map

CATALOGUE = "tables.yaml"
COLUMNS = ("source", "dataset", "backbone", "method", "metric", "direction", "value", "std", "seeds", "seen_in")
Rows = Mapping[str, Mapping[str, Printed]]  # printed name of the method → printed name of the metric → cell
Metrics = Mapping[str, Mapping[str, str]]  # task → printed name of the metric → our name of it


@dataclass(frozen=True)
class Demand:
    """What a table's experiment needs: the data, and processor hours of one run as `results/experiments` has them.

    `page` of the documentation says where the data come from. `data`: the datasets that hold what printed numbers of
    this experiment rest on, where that is not its own one; any of them will do, and the first is trained on.
    """

    needs: str
    page: str
    hours: float | None = None
    data: Sequence[str] = ()


@dataclass(frozen=True)
class PaperTable:
    """One table of one paper.

    `judged` are the cells that Δm is taken over and `beside` the others that we measure too. `deltas` maps the printed
    names of Δm to their definitions: one of ours, or the name of the only task that counts. `changes`: the judged cells
    are relative changes already. `baseline` is the row that Δm is taken against, kept out of `rows`; `baseline_name` is
    None where it is quoted from another table. `complete` False: rows of the printed table are missing here, so its
    ranks cannot be checked. `spread` says what ± is. `experiment` with `overrides` trains it, but for what `differs`
    says, and `options` are those that the paper gave a method of ours, where they are not the method's own.
    `other_units`: our cells do not compare with its cells, only Δm does. `needs` where the overrides need other data
    than the experiment. `order`: its methods' order is compared with our boards.
    """

    name: str
    title: str
    dataset: str
    backbone: str
    rows: Rows
    judged: Metrics
    beside: Metrics
    deltas: Mapping[str, str]
    rank: str | None
    baseline: Mapping[str, Printed] | None
    baseline_name: str | None
    changes: bool = False
    complete: bool = True
    spread: str = "unknown"
    experiment: str | None = None
    overrides: Sequence[str] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    other_units: bool = False
    needs: str | None = None
    differs: str | None = None
    demand: Demand | None = None
    order: bool = False

    @property
    def terms(self) -> Terms:
        """Task → the printed names of its judged metrics."""
        return {task: list(metrics) for task, metrics in self.judged.items()}

    @property
    def protocols(self) -> list[list[str]]:
        """Overrides of the experiment for each dataset that will do; the first are trained."""
        data = self.demand.data if self.demand else ()
        return [[f"dataset={one}", *self.overrides] for one in data] or [list(self.overrides)]

    @property
    def hours(self) -> float | None:
        """Of one processor for one run; None where it was not measured with these overrides."""
        told = any(override.startswith(("model=", "model.", "protocol.training.")) for override in self.overrides)
        return None if told or self.demand is None else self.demand.hours

    def ours(self, metric: str) -> tuple[str, str] | None:
        """Task and name of our metric; None where we measure none like it."""
        for metrics in (self.judged, self.beside):
            for task, names in metrics.items():
                if metric in names:
                    return task, names[metric]
        return None


def published_folder() -> Path:
    """Beside the package in a checkout, inside it where it is installed."""
    package = Path(__file__).parents[2]
    beside = package.parent / "results" / "published"
    return beside if (beside / CATALOGUE).is_file() else package / "published"


def published_tables(folder: Path) -> dict[str, PaperTable]:
    """Every table by name. Raises BenchError for a catalogue or a file that cannot be used."""
    path = folder / CATALOGUE
    parts = {"experiments": dict, "tables": dict}
    catalogue = yaml_map(path, parts, "name the folder that holds the published tables with --published")
    demands: dict[str, Demand] = {}
    made: dict[str, PaperTable] = {}
    name = ""
    try:
        for name, entry in catalogue["experiments"].items():
            demands[name] = Demand(**entry)
        for name, entry in catalogue["tables"].items():
            made[name] = _table(name, entry, folder, demands, made)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # another kind of node than is read there
        raise BenchError(f"{path}: the entry {name} has a key too few, or one that none reads: {error}.") from error
    return made


def published_table(tables: Mapping[str, PaperTable], name: str) -> PaperTable:
    """Raises BenchError, with the nearest name, when there is no such table."""
    if name not in tables:
        alike = get_close_matches(name, tables, n=1)
        hint = f"did you mean {alike[0]}?" if alike else "`mtl-bench reproduce` lists them."
        raise BenchError(f"There is no published table {name!r}; {hint}")
    return tables[name]


def printed_rows(table: PaperTable) -> dict[str, Mapping[str, Printed]]:
    """The baseline first, where the table has one of its own."""
    own = {table.baseline_name: table.baseline} if table.baseline_name and table.baseline else {}
    return {**own, **table.rows}


def _table(
    name: str, entry: Mapping[str, Any], folder: Path, demands: Mapping[str, Demand], made: Mapping[str, PaperTable]
) -> PaperTable:
    told = dict(entry)
    wanted = told.pop("rows")
    rows, dataset, backbone = _rows(folder, wanted, f"{name} in {folder / CATALOGUE}")
    base = told.pop("baseline", None)
    against: Mapping[str, Printed] | None = None
    if isinstance(base, dict):  # quoted: {table: NAME}, metric names by task and place
        against = _quoted(made[base["table"]], told["judged"])
        base = None
    elif base is not None:
        against = rows[base]
        rows = {method: cells for method, cells in rows.items() if method != base}
    experiment = told.get("experiment")
    return PaperTable(
        name=name,
        dataset=dataset,
        backbone=backbone,
        rows=rows,
        judged=told.pop("judged", {}),
        beside=told.pop("beside", {}),
        deltas=told.pop("deltas", {}),
        rank=told.pop("rank", None),
        baseline=against,
        baseline_name=base,
        demand=demands[experiment] if experiment else None,
        **told,
    )


def _quoted(other: PaperTable, judged: Metrics) -> dict[str, Printed]:
    """The baseline of another table under the metric names of this one; both name the same metrics of ours."""
    assert other.baseline is not None
    theirs = {(task, ours): metric for task, metrics in other.judged.items() for metric, ours in metrics.items()}
    return {
        metric: other.baseline[theirs[task, ours]]
        for task, metrics in judged.items()
        for metric, ours in metrics.items()
    }


def _rows(folder: Path, wanted: Mapping[str, str], place: str) -> tuple[Rows, str, str]:
    chosen = {column: value for column, value in wanted.items() if column != "file"}
    path = folder / f"{wanted['file']}.csv"
    lines = [line for line in _lines(path) if all(line[column] == value for column, value in chosen.items())]
    if not lines:
        raise BenchError(f"{path} has no row with {chosen}; correct the rows of {place}.")
    rows: dict[str, dict[str, Printed]] = {}
    for line in lines:
        cells = rows.setdefault(line["method"], {})
        if line["metric"] in cells:
            raise BenchError(f"{path} names {line['metric']} of {line['method']} twice; narrow the rows of {place}.")
        if cell := read_printed(line, str(path)):
            cells[line["metric"]] = cell
    return rows, lines[0]["dataset"], lines[0]["backbone"]


@cache
def _lines(path: Path) -> Sequence[Mapping[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path} cannot be read ({error}); take it from the repository again.") from error
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise BenchError(f"{path} has the columns {reader.fieldnames}; a published table has {', '.join(COLUMNS)}.")
    if uneven := [number for number, line in enumerate(lines, 1) if None in (*line, *line.values())]:
        raise BenchError(f"{path}: row {uneven[0]} has not {len(COLUMNS)} cells; take it from the repository again.")
    return lines
