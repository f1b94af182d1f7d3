"""Whether orders of methods transfer, as a Markdown table."""

from collections.abc import Sequence
from itertools import combinations

from mtl_bench.results.table_text import markdown_table, signed_number
from mtl_bench.results.transfer import FEW, Order, Span, Transfer, transfer

HEADER = ("Boards", "Methods", "τ-b", "95 % over seeds", "95 % over methods", "τ-b, ties joined", "Shared methods")


def transfer_table(orders: Sequence[Order]) -> str:
    """Every pair of boards, whatever its τ is: one row each, in the order given. Below it what no order holds."""
    rows = [_cells(f"{a.name} × {b.name}", transfer(a, b)) for a, b in combinations(orders, 2)]
    table = markdown_table(HEADER, rows, text=(0, len(HEADER) - 1)) + "\n"
    notes = "".join(
        f"- {one.name} leaves out {', '.join(one.left_out)}: recorded with several options and never as they come.\n"
        for one in orders
        if one.left_out
    )
    return f"{table}\n{notes}" if notes else table


def _cells(boards: str, found: Transfer) -> tuple[str, ...]:
    few = len(found.shared) < FEW
    return (
        boards,
        str(len(found.shared)),
        "–" if found.tau is None else signed_number(found.tau),
        "too few" if few else _span(found.over_seeds),
        "too few" if few else _span(found.over_methods),
        ("–" if found.tau is None else "all tie") if found.tau_joined is None else signed_number(found.tau_joined),
        ", ".join(found.shared) or "–",
    )


def _span(span: Span | None) -> str:
    return "–" if span is None else f"[{signed_number(span[0])}, {signed_number(span[1])}]"
