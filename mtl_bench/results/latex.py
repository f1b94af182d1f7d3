"""A board as a LaTeX table for a paper (packages booktabs and amsmath)."""

import re
from collections.abc import Sequence
from itertools import groupby
from unicodedata import name

from mtl_bench.results.board import SEVERAL_HOSTS, Board
from mtl_bench.results.render import (
    COVERAGE,
    DELTA,
    NOTHING,
    cells,
    converged_text,
    headers,
    is_relative,
    lines,
    metric_header,
    seed_warnings,
    title,
    told_rule,
)
from mtl_bench.results.row import Column, Row

ESCAPED = {**{sign: f"\\{sign}" for sign in "&%$#_{}"}, "\\": "\\textbackslash{}", "~": "\\textasciitilde{}"}
ESCAPED |= {"^": "\\textasciicircum{}", "–": "--", "°": "$^\\circ$", "Δ": "$\\Delta$", "±": "$\\pm$", "−": "$-$"}
ESCAPED |= {"·": "$\\cdot$", "²": "$^2$", "³": "$^3$", "µ": "$\\mu$", "↑": "$\\uparrow$", "↓": "$\\downarrow$"}
ESCAPED |= {sign: f"$_{n}$" for n, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")} | {sign: f"${sign}$" for sign in "<>|"}
ESCAPED |= {sign: f"$^{n}$" for n, sign in zip("01456789-", "⁰¹⁴⁵⁶⁷⁸⁹⁻", strict=True)}
ESCAPED |= {sign: f"$\\{name(sign).split()[-1].lower()}$" for sign in "αβγδεζηθικμνξπρστυφχψω"}
ESCAPED |= {"→": "$\\rightarrow$", "λ": "$\\lambda$", "Ω": "$\\Omega$", "Å": "\\r{A}"}
EXPONENT = re.compile(r"e([+-]\d+)")


def latex(board: Board) -> str:
    """Single-task first, then the methods in the order of the board; best mean of a column bold, second underlined.

    Single-task and rows with a diverged seed, which say so, take no part in that. Numbers are those of the terminal,
    and equal ones carry the same mark. What must be read with them stands below the table, and what the terminal says
    of further columns in comments.
    """
    columns = ([None] if is_relative(board) else []) + list(board.columns)
    names, table = headers(board), cells(board)
    places = [names.index(DELTA if column is None else metric_header(column)) for column in columns]
    order = sorted(range(len(board.rows)), key=lambda number: not board.rows[number].is_single_task)
    contest = [n for n in order if board.rows[n].is_method and not board.rows[n].diverged]
    body = {number: [_named(board.rows[number])] for number in order}
    for column, place in zip(columns, places, strict=True):
        best = _best([table[n][place] for n in contest], column is None or column.higher_is_better)
        for number in order:
            body[number].append(_cell(table[number][place], best if number in contest else ()))
    made = [" & ".join(body[number]) + r" \\" for number in order]
    if board.rows[order[0]].is_single_task and len(order) > 1:
        made.insert(1, r"\midrule")
    return "\n".join(
        [
            *(f"% {line}" for text in (title(board), *lines(board)) for line in text.splitlines()),
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_caption(board)}}}",
            rf"\label{{tab:{board.experiment}-{board.hash[:6]}}}",  # one document may hold two boards of one name
            rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
            r"\toprule",
            *_head(columns),
            r"\midrule",
            *made,
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip",
            rf"\begin{{minipage}}{{\linewidth}}\footnotesize\raggedright {_notes(board)}\end{{minipage}}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    return "".join(ESCAPED.get(sign, sign) for sign in text)


def _caption(board: Board) -> str:
    alone = "single-task runs tuned by the same search" if board.tuned_from else "single-task"
    told = rf"; $\Delta_m$ is the {escaped(board.definition)} of changes against {alone}"
    return (
        rf"{escaped(board.experiment)} (protocol \texttt{{{board.hash[:12]}}}): means over seeds $\pm$ half a 95\,\% "
        rf"interval{told if is_relative(board) else ''}. Bold: best mean{_among(board)}, underlined: second."
    )


def _among(board: Board) -> str:
    """Who takes part in that, where not every row does."""
    if all(row.is_method and not row.diverged for row in board.rows):
        return ""
    lost = " that converged with every seed" if any(row.diverged for row in board.rows) else ""
    return f" of the methods{lost}"


def _named(row: Row) -> str:
    return escaped(f"{row.label} ({converged_text(row)} converged)" if row.diverged else row.label)


def _notes(board: Board) -> str:
    """As one paragraph; seconds have no column here."""
    notes = (
        told_rule(board),
        COVERAGE,
        *seed_warnings(board),
        *(note for note in board.notes if note != SEVERAL_HOSTS),
    )
    return escaped(" ".join(" ".join(notes).split()))


def _head(columns: Sequence[Column | None]) -> list[str]:
    """Tasks above their metrics."""
    tasks, rules, place = [""], [], 2
    for task, group in groupby(columns, key=lambda column: column.task if column else ""):
        width = len(list(group))
        tasks.append(f"\\multicolumn{{{width}}}{{c}}{{{escaped(task)}}}" if task else "")
        if task:
            rules.append(f"\\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    metrics = ["Method", *map(_metric, columns)]
    return [" & ".join(tasks) + r" \\", " ".join(rules), " & ".join(metrics) + r" \\"]


def _metric(column: Column | None) -> str:
    if column is None:
        return r"$\Delta_m$ (\%) $\uparrow$"
    unit = f" ({escaped(column.unit)})" if column.unit else ""
    return f"{escaped(column.metric)}{unit} {escaped('↑' if column.higher_is_better else '↓')}"


def _best(texts: Sequence[str], higher: bool) -> tuple[str, ...]:
    """The best and the second printed mean."""
    means = {mean for text in texts if (mean := text.partition(" ±")[0]) != NOTHING}
    return tuple(sorted(means, key=lambda mean: float(mean.replace("−", "-")), reverse=higher)[:2])


def _number(text: str) -> str:
    """`1.2e−07` as mathematics."""
    return EXPONENT.sub(lambda found: rf"\cdot 10^{{{int(found[1])}}}", text.replace("−", "-"))


def _cell(text: str, best: Sequence[str]) -> str:
    if text == NOTHING or text == "reference":
        return escaped(text)
    mean, _, half = text.partition(" ±")
    shown, half = map(_number, (mean, half))
    for rank, mark in enumerate((r"\mathbf", r"\underline")):
        if best[rank : rank + 1] == (mean,):
            shown = f"{mark}{{{shown}}}"
    spread = rf"{{\scriptstyle\,\pm\,{half}}}" if half else ""
    return f"${shown}{spread}$"
