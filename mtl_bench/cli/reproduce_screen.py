"""What `mtl-bench reproduce` prints."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtl_bench.results.folding import fill
from mtl_bench.results.published import (
    Beside,
    PaperTable,
    PrintedNames,
    Trained,
    audit,
    audited,
    beside,
    ladder,
    listed_rows,
    needed,
    printed_rows,
    recompute,
    summary_rows,
)
from mtl_bench.results.published.audit_table import LISTED, SUMMARY
from mtl_bench.results.published.exceptions import Facts, facts_of
from mtl_bench.results.strips import Strip, parts

NOTHING = "–"
READABLE = 40  # cells for a sentence in a column
ERRORS = (
    "Difference: ours minus the paper's, also in standard errors of the difference: those of our seeds, those that the "
    "paper prints or, where it prints none, as if its seeds varied as ours do, and its rounding; rounding alone where "
    "it does not say how many seeds. Δm is turned so that higher is better; ours carries the noise of our single-task "
    "runs."
)
HOW = (
    "`mtl-bench reproduce TABLE` prints ours beside the paper's, `--audit` what the printed cells give, `--run` trains "
    "it. Hours are of one processor for one run."
)


def list_tables(
    tables: Mapping[str, PaperTable], trained: Mapping[str, Sequence[Trained]], names: PrintedNames
) -> None:
    """One line per table: its place on the ladder, step by step."""
    rows = []
    for name, table in tables.items():
        exact = NOTHING if table.experiment is None else "nearly" if table.differs else "exactly"
        rows.append((name, table.title, audited(table), exact, _run_so_far(table, trained.get(name, ()), names)))
    _print(("table", "printed in", "Δm, ranks\nthat follow", "computed", "trained"), rows, left=(0, 1, 4))
    _say(HOW)


def _run_so_far(table: PaperTable, trained: Sequence[Trained], names: PrintedNames) -> str:
    full = [one for one in trained if not one.departures]
    if full:
        return f"{max(len(one.rows(table, names)) for one in full)} of {len(printed_rows(table))} rows"
    return f"no: {needed(table)}" if table.experiment else "no experiment here"


def show_table(table: PaperTable, trained: Sequence[Trained], names: PrintedNames) -> None:
    """The ladder; then ours beside the paper's per board, or the paper's cells where there is no record."""
    console = Console()
    console.print(f"{table.title} · {table.dataset}, {table.backbone}", style="bold", markup=False, highlight=False)
    for line in ladder(table, trained, names):
        _say(f"- {line}")
    console.print()
    shown = False
    for one in trained:
        cells = beside(table, one, names)
        if cells:
            _show_beside(table, one, names, cells)
            shown = True
    if not shown:
        _show_paper(table)


def show_audit(tables: Mapping[str, PaperTable], reasons: Mapping[Facts, str]) -> None:
    found = audit(tables)
    _print_told(SUMMARY, [[text.strip("`") for text in row] for row in summary_rows(tables, found)], (0, 1, 6), named=1)
    _print_told(
        LISTED, [[text.strip("`") for text in row] for row in listed_rows(found, reasons)], (0, 1, 2, 5), named=3
    )


def show_rows_audited(table: PaperTable, reasons: Mapping[Facts, str]) -> None:
    """Every printed Δm and rank beside the range that its cells give."""
    checked, left = recompute(table)
    rows, last = [], ""
    for one in checked:
        reason = "" if one.derivable else reasons.get(facts_of(one)) or "why is not known"
        told = "yes" if one.derivable else "no, as above" if reason == last else f"no: {reason}"
        rows.append((one.method, one.metric, one.printed.text, f"{one.low} to {one.high}", told))
        last = reason or last
    rows += [(one.method, one.metric, NOTHING, NOTHING, one.why) for one in left]
    _print_told(("row", "number", "printed", "from its cells", "follows"), rows, left=(0, 1, 4), named=2)
    _say(audit_rule(table))


def audit_rule(table: PaperTable) -> str:
    definitions = ", ".join(f"{metric} is {definition}" for metric, definition in table.deltas.items())
    rule = f"Exact ranges over all numbers that are printed as these are, in the paper's own sign. {definitions}."
    return f"{rule} Ranks are among the printed methods, without the baseline." if table.rank else rule


def _show_beside(table: PaperTable, one: Trained, names: PrintedNames, cells: Sequence[Beside]) -> None:
    _say(f"Ours: {one.board.experiment} · {one.board.hash[:12]}" + ("" if not one.departures else ", reduced"))
    rows, last = [], ""
    for cell in cells:
        places = cell.places + 1
        ours = f"{cell.ours:.{places}f}" + (f" ±{cell.error:.{places}f}" if cell.error is not None else "")
        off = NOTHING if cell.in_errors is None else f"{cell.in_errors:+.1f}"
        printed = f"{cell.paper:.{cell.places}f}"
        name = cell.printed_as if cell.printed_as != last else ""
        rows.append((name, cell.metric, printed, ours, str(cell.seeds), f"{cell.difference:+.{places}f}", off))
        last = cell.printed_as
    _print(("row", "metric", "paper", "ours ± s.e.", "seeds", "difference", "in s.e."), rows, left=(0, 1))
    _say(ERRORS)
    for line in [*_left_out(table, one, names, {cell.printed_as for cell in cells}), *one.board.notes]:
        _say(line)


def _left_out(table: PaperTable, one: Trained, names: PrintedNames, shown: Set[str]) -> Iterator[str]:
    """Printed rows without a cell of ours, by the reason."""
    rows = {name: one.row(table, names, name) for name in printed_rows(table) if name not in shown}
    lost = {name: row for name, row in rows.items() if row and row.diverged}
    if absent := [name for name, row in rows.items() if row is None]:
        yield f"Without records here: {', '.join(absent)}."
    if lost:
        told = (f"{name} ({len(row.converged)} of {len(row.seeds)} seeds)" for name, row in lost.items())
        yield f"Not compared, for not every seed converged: {', '.join(told)}."
    if unlike := [name for name, row in rows.items() if row and name not in lost]:
        yield f"Trained, with no number that compares: {', '.join(unlike)}."


def _show_paper(table: PaperTable) -> None:
    """The printed cells in as many parts as the terminal needs."""
    rows = printed_rows(table)
    metrics = list(dict.fromkeys(metric for cells in rows.values() for metric in cells))
    strips = [Strip("printed", tuple(rows), name=True)]
    strips += [Strip(m, tuple(c[m].text if m in c else NOTHING for c in rows.values())) for m in metrics]
    for group in parts(strips, Console().width):
        _print([strip.header for strip in group], list(zip(*(strip.texts for strip in group), strict=True)))


def _print(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] | None = None) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, name in enumerate(head):
        names = place == 0 if left is None else place in left
        table.add_column(
            Text(name), justify="left" if names else "right", no_wrap=place == 0 or not names, overflow="fold"
        )
    for row in rows:
        table.add_row(*map(Text, row))  # Text, not str: rich would read [left] as markup
    console = Console()
    console.print(table)
    console.print()


def _print_told(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int], named: int) -> None:
    """A table with sentences in its last column; where they would be narrow they stand below it, each behind the first
    `named` cells of the rows that it is about."""
    numbers = [max(cell_len(row[n]) for row in (head, *rows)) + 1 for n in range(len(head) - 1)]
    if Console().width - sum(numbers) >= READABLE:
        _print(head, rows, left)
        return
    _print(head[:-1], [row[:-1] for row in rows], left)
    told: dict[int, tuple[list[str], str]] = {}
    for number, row in enumerate(rows):
        who = " · ".join(row[:named])
        if row[-1].endswith("as above") and told:
            next(reversed(told.values()))[0].append(who)
        elif row[-1] not in ("", "yes"):
            told[number] = [who], row[-1]
    if told:
        _say(f"{head[-1][:1].upper()}{head[-1][1:]}:")
        for names, text in told.values():
            _say(f"- {'; '.join(names)}: {text}")
        _say("")


def _say(line: str) -> None:
    console = Console()
    console.print(fill(line, console.width), markup=False, highlight=False, soft_wrap=True)
