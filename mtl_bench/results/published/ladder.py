"""How far a published table is reproduced, never in one word: audited, computed, trained, or what is missing for it."""

from collections.abc import Sequence

from mtl_bench.results.published.catalogue import PaperTable, printed_rows
from mtl_bench.results.published.printed_names import PrintedNames
from mtl_bench.results.published.recompute import recompute
from mtl_bench.results.published.trained_board import Trained


def ladder(table: PaperTable, trained: Sequence[Trained], names: PrintedNames) -> list[str]:
    """One sentence per step."""
    return [
        _audited(table),
        _computed(table),
        *(_trained(one, table, names) for one in trained),
        *_missing(table, trained),
    ]


def audited(table: PaperTable) -> str:
    """`23 of 24`: of the printed Δm and mean ranks, how many follow from their cells."""
    checked, left = recompute(table)
    if not checked and not left:
        return "prints none"
    return f"{sum(one.derivable for one in checked)} of {len(checked) + len(left)}"


def needed(table: PaperTable) -> str:
    """The data, and what one run takes, in short."""
    assert table.demand is not None
    hours = f", {table.hours:,.1f} h" if table.hours else ""
    return f"{table.needs or table.demand.needs}{hours}"


def methods_to_train(table: PaperTable, names: PrintedNames) -> list[str]:
    """Our methods among its rows, each once, in print's order."""
    found = (names.method(table.name, one) for one in printed_rows(table) if one not in names.single_task)
    return list(dict.fromkeys(method for method in found if method is not None))


def rows_to_train(table: PaperTable, trained: Trained, names: PrintedNames, seeds: Sequence[int]) -> list[str]:
    """Those of `methods_to_train` of which the board lacks a seed; all where baselines lack one, or it has no Δm."""
    methods = methods_to_train(table, names)
    rows = {row.label: row for row in trained.board.rows}
    alone = {seed for row in rows.values() if row.is_single_task for seed in row.seeds}
    if not any(row.delta_m for row in rows.values()) or not set(seeds) <= alone:
        return methods
    labels = {method: trained.label(table, method) for method in methods}
    return [one for one in methods if labels[one] not in rows or not set(seeds) <= set(rows[labels[one]].seeds)]


def _audited(table: PaperTable) -> str:
    checked, left = recompute(table)
    if not checked and not left:
        return "Cells audited: it prints no Δm and no mean rank."
    off = sum(not one.derivable for one in checked)
    told = (
        f"Cells audited: of {len(checked) + len(left)} printed Δm and mean ranks {len(checked) - off} follow from them"
    )
    return f"{told}, {off} not, and {len(left)} cannot be recomputed (`--audit` shows which)."


def _computed(table: PaperTable) -> str:
    if table.experiment is None:
        return "Not computed: no experiment here has its protocol."
    how = " ".join([f"experiment={table.experiment}", *table.protocols[0]])
    if table.differs:
        return f"Computed by `{how}`, but not exactly: {table.differs}."
    return f"Computed exactly (selection, Δm) by `{how}`."


def _trained(one: Trained, table: PaperTable, names: PrintedNames) -> str:
    rows = f"{len(one.rows(table, names))} of {len(printed_rows(table))} rows"
    if one.departures:
        return f"Trained, {rows}, not at the full protocol: {'; '.join(one.departures)}."
    return f"Trained at the full protocol: {rows}."


def _missing(table: PaperTable, trained: Sequence[Trained]) -> list[str]:
    if table.demand is None or any(not one.departures for one in trained):
        return []
    hours = f"about {table.hours:,.1f} hours of one processor a run" if table.hours else "its hours were not measured"
    data = table.needs or table.demand.needs
    return [f"Not run at the full protocol: needs {data} ({table.demand.page}), {hours}."]
