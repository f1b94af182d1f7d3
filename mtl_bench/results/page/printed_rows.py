"""Δm as papers print it, row by row, for a page beside the boards."""

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_bench.results.published import PaperTable, PrintedNames, recompute
from mtl_bench.results.table_text import signed_number


@dataclass(frozen=True)
class PrintedRow:
    """One printed Δm. `turned` is higher-is-better whatever the paper's sign, and so is `cells`, the range that the
    row's own cells allow (None: they are not printed, or no baseline is); `follows` says whether the Δm lies in it.
    `ours` is the name of our method, if it is one.
    """

    table: PaperTable
    printed_as: str
    ours: str | None
    metric: str
    definition: str
    text: str
    turned: float
    cells: str | None
    follows: bool | None

    @property
    def searched(self) -> str:
        """All that the filter looks through."""
        words = (self.table.name, self.table.title, self.table.dataset, self.printed_as, self.ours or "")
        return " ".join((*words, self.table.backbone))

    @property
    def verdict(self) -> str:
        return {True: "follows", False: "does not follow", None: ""}[self.follows]


def printed_deltas(tables: Mapping[str, PaperTable], names: PrintedNames) -> list[PrintedRow]:
    """Every printed Δm of the tables; of one table in its printed order."""
    found = []
    for table in tables.values():
        checked, _ = recompute(table)
        ranges = {(one.method, one.metric): one for one in checked}
        for printed_as, cells in table.rows.items():
            for metric, definition in table.deltas.items():
                if metric not in cells:
                    continue
                cell, one = cells[metric], ranges.get((printed_as, metric))
                turned = cell.sign * float(cell.value)
                text = signed_number(turned, cell.places)
                if cell.spread is not None:
                    text += f" ±{cell.spread:.{cell.places}f}"
                within = None
                if one is not None:
                    ends = sorted(cell.sign * float(end) for end in one.range)
                    within = " to ".join(signed_number(end, cell.places + 1) for end in ends)
                ours = names.method(table.name, printed_as)
                follows = None if one is None else one.derivable
                found.append(PrintedRow(table, printed_as, ours, metric, definition, text, turned, within, follows))
    return found
