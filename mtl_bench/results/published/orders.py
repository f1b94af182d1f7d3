"""Published method orders: Δm as papers print it, under our names and in our sign."""

from pathlib import Path

from mtl_bench.results.published.catalogue import PaperTable, published_tables
from mtl_bench.results.published.printed_names import PrintedNames, printed_names
from mtl_bench.results.transfer import Order


def published_orders(folder: Path) -> list[Order]:
    """One order for each table that the catalogue marks with `order`, by name."""
    names = printed_names(folder)
    chosen = [table for table in published_tables(folder).values() if table.order]
    return sorted((published_order(table, names) for table in chosen), key=lambda order: order.name)


def published_order(table: PaperTable, names: PrintedNames) -> Order:
    """By the first Δm of the table, turned where the paper's is lower-is-better; a method that is none of ours keeps
    its printed name."""
    metric = next(iter(table.deltas))
    values = {
        names.method(table.name, method) or method: cells[metric].sign * float(cells[metric].value)
        for method, cells in table.rows.items()
        if metric in cells
    }
    return Order(f"{table.dataset} (published)", values)
