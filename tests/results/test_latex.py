"""LaTeX that a paper can take over."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mtl_bench.results import Board, leaderboard
from mtl_bench.results.latex import escaped, latex
from mtl_bench.results.render import cells, lines
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
    assert list(found) == ["single-task", "B", "A", "C", "MGDA"]
    assert found["single-task"][0] == "reference"
    assert r"\mathbf{85.0}" in found["A"][1]
    assert r"\underline{83.0}" in found["B"][1]
    assert r"\mathbf{0.450}" in found["B"][2]
    assert r"\underline{0.480}" in found["A"][2]
    assert not re.search("mathbf|underline", "".join(found["C"] + found["MGDA"] + found["single-task"]))


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


def test_signs_that_latex_reads_are_escaped() -> None:
    assert escaped("a_b & 5 % {c} #1") == r"a\_b \& 5 \% \{c\} \#1"
    assert escaped("° ↑ – \\") == r"$^\circ$ $\uparrow$ -- \textbackslash{}"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex is installed here")
def test_it_compiles(board: Board, tmp_path: Path) -> None:
    head = r"\documentclass{article}\usepackage{booktabs,amsmath}\begin{document}"
    (tmp_path / "a.tex").write_text(f"{head}\n{latex(board)}\\end{{document}}")
    done = subprocess.run(["pdflatex", "-halt-on-error", "a.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-800:]
