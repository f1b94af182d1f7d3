"""Pictures of findings: which runs tell something, what is read from a history, and that every kind is drawn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from mtl_bench.errors import BenchError
from mtl_bench.records.record import save_record
from mtl_bench.results.findings_pictures import draw_findings, find_run_findings, findings_files, told_undrawn
from mtl_bench.results.grouping_pictures import draw_matrix, draw_serving
from tests.results.conftest import Make

GROUPS = {"affinity": [[1.0, None], [0.5, 2.0]], "groups": [["left"], ["right"]], "mean_groups": 2.0}
PRIORITY = {"phase_1": 0.5, "priority": {"conv1": [0.25, 0.75], "conv2": [1.0, 0.0]}}


@pytest.fixture
def leave(record: Make, tmp_path: Path) -> Any:
    def write(
        method: str,
        findings: list[dict[str, Any]] | None = None,
        seed: int = 0,
        cosines: list[float] | None = None,
        kept: dict[str, Any] | None = None,
    ) -> None:
        made = record(method, 80, 0.5, seed, **(kept or {}))
        if findings:
            made["findings"] = [{"epoch": n + 1, **found} for n, found in enumerate(findings)]
        folder = tmp_path / "runs" / method / f"seed-{seed}"
        folder.mkdir(parents=True)
        save_record(folder / "record.json", made)
        rows = [{"batch": n, "diagnostics": {"diagnostics/cosine/left-right": c}} for n, c in enumerate(cosines or [])]
        (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [{"batch": 0}, *rows]))

    return write


def test_the_lowest_seed_of_each_method_that_tells_something(leave: Any, tmp_path: Path) -> None:
    leave("stgu", [GROUPS], seed=1)
    leave("stgu", [GROUPS], seed=2)
    leave("ls")
    (told,) = find_run_findings([tmp_path], None, None)
    assert (told.record["method"]["name"], told.record["seed"]) == ("stgu", 1)


def test_conflicts_are_read_from_the_history(leave: Any, tmp_path: Path) -> None:
    leave("ls", cosines=[0.5, -0.25, -0.25, 1.0])
    (told,) = find_run_findings([tmp_path], None, "ls")
    cosine, negative = told.conflicts.values()
    assert cosine[0, 1] == cosine[1, 0] == pytest.approx(0.25)
    assert negative[0, 1] == pytest.approx(50)
    assert np.isnan(np.diagonal(cosine)).all()


def test_where_the_history_lies_elsewhere_the_record_tells_the_cosines(leave: Any, tmp_path: Path) -> None:
    leave("ls", kept={"cosines": [[1.0, -0.25], [-0.25, 1.0]]})
    (told,) = find_run_findings([tmp_path], None, "ls")
    ((name, cosine),) = told.conflicts.items()
    assert (name, cosine[0, 1], cosine[1, 0]) == ("mean cosine of gradients", -0.25, -0.25)
    assert np.isnan(np.diagonal(cosine)).all()
    draw_findings(told, tmp_path / "f.png")
    assert imread(tmp_path / "f.png").std() > 0.05


def test_of_shares_alone_it_is_not_said_that_diagnostics_were_off(leave: Any, tmp_path: Path) -> None:
    leave("ls", kept={"shares": {"left": 0.5, "right": 0.5}})
    with pytest.raises(BenchError, match="trained with diagnostics, but their records hold no cosines"):
        find_run_findings([tmp_path], None, None)


def test_numbers_alone_are_named_and_the_others_drawn(leave: Any, tmp_path: Path) -> None:
    leave("numbers", [{"phase_1": 0.5, "priority": {}}])
    with pytest.raises(BenchError, match=r"numbers alone: digits-numbers\. Choose other runs"):
        find_run_findings([tmp_path], None, None)
    leave("numbers", [GROUPS], seed=1)
    leave("ls", [{"phase_1": 0.5}])
    found = find_run_findings([tmp_path], None, None)
    assert [(run.name, run.record["seed"], bool(run.panels)) for run in found] == [
        ("digits-ls", 0, False),
        ("digits-numbers", 1, True),
    ]
    assert told_undrawn(found) == "Findings without a picture, as they are numbers alone: digits-ls."


@pytest.mark.parametrize(
    ("findings", "rows"), [([GROUPS, GROUPS], 2), ([PRIORITY, PRIORITY], 1)], ids=["groups", "priority"]
)
def test_every_kind_is_drawn(leave: Any, tmp_path: Path, findings: list[dict[str, Any]], rows: int) -> None:
    leave("one", findings)
    leave("two", findings, cosines=[0.5])  # a row more
    told = find_run_findings([tmp_path], None, None)
    paths = findings_files(told, tmp_path / "f.png")
    heights = []
    for one, path in zip(told, paths, strict=True):
        draw_findings(one, path)
        heights.append(imread(path).shape[0])
    assert {path.name for path in paths} == {f"f-{one.name}.png" for one in told}
    assert heights[1] / heights[0] == pytest.approx((rows + 1) / rows, rel=0.12)


def test_nothing_to_draw_is_said(leave: Any, tmp_path: Path) -> None:
    leave("ls")
    with pytest.raises(BenchError, match="No run here has findings to draw"):
        find_run_findings([tmp_path], None, None)


def test_matrices_and_servings_become_pictures(tmp_path: Path) -> None:
    draw_matrix(np.array([[np.nan, -1.0], [1.0, 0.0]]), ["a", "b"], "title", tmp_path / "m.png")
    draw_serving(["a", "b"], [(0, 1), (1,)], (0, 1), tmp_path / "s.svg")
    assert imread(tmp_path / "m.png").std() > 0.05
    assert "<!-- network 2 -->" in (tmp_path / "s.svg").read_text()
    with pytest.raises(BenchError, match="choose another path"):
        draw_matrix(np.eye(2), ["a", "b"], "t", tmp_path / "m.nothing")
