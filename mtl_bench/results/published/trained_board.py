"""A board that was trained as a published table was, and which of its rows stands behind a printed name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_bench.records import Record
from mtl_bench.results.board import Board
from mtl_bench.results.published.catalogue import PaperTable, printed_rows
from mtl_bench.results.published.printed_names import PrintedNames
from mtl_bench.results.row import Row


@dataclass(frozen=True)
class Trained:
    """A board of the table's experiment; `departures` say in what its runs are not the full protocol. The records are
    those behind it, and perhaps others. `label_of` gives the label of a method as its YAML has it, with these options.
    """

    board: Board
    records: Sequence[Record]
    departures: Sequence[str]
    label_of: Callable[[str, Mapping[str, Any]], str]

    def label(self, table: PaperTable, method: str) -> str:
        """Of the row of one of our methods, with the options that the paper gave it."""
        return self.label_of(method, table.options.get(method, {}))

    def row(self, table: PaperTable, names: PrintedNames, printed_as: str) -> Row | None:
        """The row of the method with its options as they come, or as the table says that the paper had them; variants
        of it are other rows, which `report` shows."""
        if printed_as in names.single_task:
            return next((row for row in self.board.rows if row.is_single_task), None)
        method = names.method(table.name, printed_as)
        label = None if method is None else self.label(table, method)
        return next((row for row in self.board.rows if row.label == label and row.is_method), None)

    def rows(self, table: PaperTable, names: PrintedNames) -> list[str]:
        """Printed names of the rows that it holds."""
        return [one for one in printed_rows(table) if self.row(table, names, one)]
