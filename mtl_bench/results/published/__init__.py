"""Tables as papers print them: read, audited, and laid beside our own."""

from mtl_bench.results.published.audit_table import audit, audit_markdown, listed_rows, summary_rows
from mtl_bench.results.published.beside import Beside, beside
from mtl_bench.results.published.catalogue import (
    PaperTable,
    printed_rows,
    published_folder,
    published_table,
    published_tables,
)
from mtl_bench.results.published.exceptions import exceptions, known_exceptions
from mtl_bench.results.published.ladder import audited, ladder, methods_to_train, needed, rows_to_train
from mtl_bench.results.published.orders import published_orders
from mtl_bench.results.published.printed_names import PrintedNames, printed_names
from mtl_bench.results.published.recompute import Recomputed, Unchecked, recompute
from mtl_bench.results.published.trained_board import Trained

__all__ = [
    "Beside",
    "PaperTable",
    "PrintedNames",
    "Recomputed",
    "Trained",
    "Unchecked",
    "audit",
    "audit_markdown",
    "audited",
    "beside",
    "exceptions",
    "known_exceptions",
    "ladder",
    "listed_rows",
    "methods_to_train",
    "needed",
    "printed_names",
    "printed_rows",
    "published_folder",
    "published_orders",
    "published_table",
    "published_tables",
    "recompute",
    "rows_to_train",
    "summary_rows",
]
