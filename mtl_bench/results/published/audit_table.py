"""The audit as Markdown: one line per table, and below it every exception with its reason."""

from collections.abc import Mapping, Sequence

from mtl_bench.results.published.catalogue import PaperTable
from mtl_bench.results.published.exceptions import Facts, exceptions
from mtl_bench.results.published.recompute import Recomputed, Unchecked, recompute
from mtl_bench.results.table_text import markdown_table

SUMMARY = ("table", "printed in", "Δm", "follow", "mean ranks", "follow", "cannot be recomputed")
LISTED = ("table", "row", "number", "printed", "from its cells", "why, as far as it is known")
Audit = Mapping[str, tuple[Sequence[Recomputed], Sequence[Unchecked]]]


def audit(tables: Mapping[str, PaperTable]) -> Audit:
    """Tables without a Δm or a rank are left out."""
    found = {name: recompute(table) for name, table in tables.items()}
    return {name: (checked, left) for name, (checked, left) in found.items() if checked or left}


def summary_rows(tables: Mapping[str, PaperTable], found: Audit) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, (checked, left) in found.items():
        ranks = [one for one in checked if one.metric == tables[name].rank]
        deltas = [one for one in checked if one.metric != tables[name].rank]
        why = ", ".join(dict.fromkeys(one.why for one in left))
        rows.append((f"`{name}`", tables[name].title, *_counts(deltas), *_counts(ranks), _left(left, why)))
    checked = [one for both in found.values() for one in both[0]]
    ranks = [one for one in checked if one.metric == tables[one.table].rank]
    deltas = [one for one in checked if one.metric != tables[one.table].rank]
    rows.append(("all", "", *_counts(deltas), *_counts(ranks), str(sum(len(both[1]) for both in found.values()))))
    return rows


def listed_rows(found: Audit, reasons: Mapping[Facts, str]) -> list[tuple[str, ...]]:
    """Every exception; rows of one table that share a reason keep it in the first of them only."""
    rows: list[tuple[str, ...]] = []
    last = "", ""
    for facts in (one for checked, _ in found.values() for one in exceptions(checked)):
        table, method, metric, printed, low, high = facts
        reason = reasons.get(facts, "")
        told = "as above" if reason and (table, reason) == last else reason or "not known"
        rows.append((f"`{table}`", method, metric, printed, f"{low} to {high}", told))
        last = table, reason
    return rows


def audit_markdown(tables: Mapping[str, PaperTable], reasons: Mapping[Facts, str]) -> str:
    found = audit(tables)
    numbers = markdown_table(SUMMARY, summary_rows(tables, found), text=(0, 1, 6))
    return f"{numbers}\n\n{markdown_table(LISTED, listed_rows(found, reasons), text=(0, 1, 2, 5))}\n"


def _counts(checked: Sequence[Recomputed]) -> tuple[str, str]:
    if not checked:
        return "–", "–"
    return str(len(checked)), str(sum(one.derivable for one in checked))


def _left(left: Sequence[Unchecked], why: str) -> str:
    return f"{len(left)}: {why}" if left else ""
