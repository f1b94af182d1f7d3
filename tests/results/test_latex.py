"""LaTeX that a paper can take over."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_bench.results import Board, leaderboard
from mtl_bench.results.board import SEVERAL_HOSTS
from mtl_bench.results.latex import escaped, latex
from mtl_bench.results.render import COVERAGE, cells, lines
from tests.results.conftest import Runs


def rows(text: str) -> dict[str, list[str]]:
    """Label → cells, of the lines between the rules."""
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    found = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r"\\")]
    return {line[0]: line[1:] for line in found}


def test_the_best_is_bold_and_the_second_underlined(runs: Runs, single: Runs) -> None:
    """Per column, whichever way is better; single-task and a diverged row take no part."""
    lost = runs("mgda", [99, 99, 99], [0.1, 0.1, 0.1])
    lost[2]["converged"] = False
    methods = [*runs("a", [84, 85, 86], [0.48, 0.47, 0.49]), *runs("b", [82, 83, 84], [0.45, 0.44, 0.46])]
    found = rows(latex(leaderboard([*methods, *runs("c", [70, 71, 72], [0.6, 0.6, 0.6]), *lost, *single()])))
    lost_one = "MGDA (2/3 converged)"
    assert list(found) == ["single-task", "B", "A", "C", lost_one]
    assert found["single-task"][0] == "reference"
    assert r"\mathbf{85.0}" in found["A"][1]
    assert r"\underline{83.0}" in found["B"][1]
    assert r"\mathbf{0.450}" in found["B"][2]
    assert r"\underline{0.480}" in found["A"][2]
    assert not re.search("mathbf|underline", "".join(found["C"] + found[lost_one] + found["single-task"]))


def test_equal_prints_carry_the_same_mark(runs: Runs, single: Runs) -> None:
    methods = [*runs("a", [85, 85, 85], [0.5, 0.5, 0.5]), *runs("b", [85, 85, 85], [0.4, 0.4, 0.4])]
    found = rows(latex(leaderboard([*methods, *single()])))
    assert found["A"][1] == found["B"][1]
    assert r"\mathbf{85" in found["A"][1]


def test_numbers_are_the_terminals(board: Board) -> None:
    text = latex(board)
    plain = re.sub(r"\\(mathbf|underline)\{([^}]*)\}", r"\2", text)
    plain = re.sub(r"\{\\scriptstyle\\,\\pm\\,([^}]*)\}", r" ±\1", plain).replace("$", "")
    for row in cells(board):
        assert all(number.replace("−", "-") in plain for number in (row[2], *row[6:8]))
    assert all(f"% {line}" in text for line in lines(board))
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_what_must_be_read_with_the_numbers_is_printed(board: Board) -> None:
    """A comment is in no PDF."""
    printed = "".join(line for line in latex(board).splitlines(keepends=True) if not line.startswith("%"))
    below = printed.partition(r"\end{tabular}")[2]
    assert "Ranked last: not every seed of MGDA converged; shown are those that did." in below
    assert escaped(COVERAGE) in below
    assert "Warning: every row has fewer than 5 seeds." in below
    assert "Bold: best mean of the methods that converged with every seed, underlined: second." in printed
    whole = board.only([row for row in board.rows if not row.diverged])
    assert "Bold: best mean of the methods, underlined: second." in latex(whole)
    assert "Bold: best mean, underlined: second." in latex(board.only([row for row in whole.rows if row.is_method]))


def test_what_is_said_of_seconds_is_not_printed_without_them(board: Board) -> None:
    text = latex(replace(board, notes=(SEVERAL_HOSTS, "Networks {a} → {b}.")))
    assert f"% {SEVERAL_HOSTS}" in text
    below = text.partition(r"\end{tabular}")[2]
    assert "Seconds" not in below
    assert r"Networks \{a\} $\rightarrow$ \{b\}." in below


def test_what_rounds_to_zero_is_one_number(runs: Runs, single: Runs) -> None:
    """Otherwise a difference nobody sees is bold, and which of the two was left to the order of a set."""
    methods = [*runs("a", [80, 80, 80], [0.50001] * 3), *runs("b", [80, 80, 80], [0.5] * 3)]
    found = rows(latex(leaderboard([*methods, *single()])))
    assert r"\mathbf{+0.00}" in found["A"][0]
    assert r"\mathbf{+0.00}" in found["B"][0]


def test_small_values_keep_their_digits(runs: Runs, single: Runs) -> None:
    methods = [*runs("a", [80, 81, 82], [4.1e-7, 4.2e-7, 4.3e-7]), *runs("b", [80, 81, 82], [9e-8] * 3)]
    found = rows(latex(leaderboard([*methods, *single(right=[5e-7, 6e-7])])))
    assert r"\underline{4.2\cdot 10^{-7}}{\scriptstyle\,\pm\,2.48\cdot 10^{-8}}" in found["A"][2]
    assert r"\mathbf{9\cdot 10^{-8}}" in found["B"][2]


def test_every_line_above_the_table_is_a_comment(board: Board) -> None:
    text = latex(replace(board, notes=("one\ntwo", "three")))
    head = text.partition(r"\begin{table}")[0].splitlines()
    assert {"% one", "% two", "% three"} <= set(head)
    assert all(line.startswith("%") for line in head)


def test_two_boards_of_one_name_have_two_labels(board: Board) -> None:
    texts = latex(board) + latex(replace(board, hash="0" * 64))
    assert len(set(re.findall(r"\\label\{tab:digits-\w{6}\}", texts))) == 2


def test_signs_that_latex_reads_are_escaped() -> None:
    assert escaped("a_b & 5 % {c} #1") == r"a\_b \& 5 \% \{c\} \#1"
    assert escaped("° ↑ – \\") == r"$^\circ$ $\uparrow$ -- \textbackslash{}"
    assert escaped("a₀³ α λ cm⁻¹ <x>") == r"a$_0$$^3$ $\alpha$ $\lambda$ cm$^-$$^1$ $<$x$>$"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex is installed here")
def test_it_compiles(board: Board, tmp_path: Path) -> None:
    head = r"\documentclass{article}\usepackage{booktabs,amsmath}\begin{document}"
    (tmp_path / "a.tex").write_text(f"{head}\n{latex(board)}\\end{{document}}")
    done = subprocess.run(["pdflatex", "-halt-on-error", "a.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-800:]
