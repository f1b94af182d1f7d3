"""One row as a page's script and its table get it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from mtl_bench.errors import Damaged
from mtl_bench.results.axis_scale import Scale, tone
from mtl_bench.results.board import Board
from mtl_bench.results.entries import Run
from mtl_bench.results.page.behind import Provenance, provenance, record_paths, runs_behind
from mtl_bench.results.page.curve_data import curves, short
from mtl_bench.results.page.definitions import Ranking
from mtl_bench.results.page.gradient_data import gradients_of
from mtl_bench.results.page.material import Material
from mtl_bench.results.render import signed
from mtl_bench.results.row import Estimate, Row
from mtl_bench.results.sensitivity import Rank, span_text
from mtl_bench.results.tuned_rows import searched_keys
from mtl_bench.results.worth import trials_of

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's, where there is one, is ten times as quick


@dataclass(frozen=True)
class DrawnRow:
    """`anchor` is the row's name in links; `strip` places Δm and its interval on the table's axis, in percent. `rank`
    is the place with how far it moves, as frozen versions have it."""

    row: Row
    anchor: str
    place: float | None
    rank: Rank | None
    provenance: Provenance
    strip: Mapping[str, Any] | None

    @property
    def moves(self) -> str:
        """`2–5`: places when any one task is left out; empty where it stays, or has none."""
        found = self.rank.less_a_task if self.rank and self.place else None
        return span_text(found) if found and found[0] != found[1] else ""


def drawn_row(
    row: Row, anchor: str, board: Board, own: Ranking, rank: Rank | None, scale: Scale, material: Material
) -> DrawnRow:
    strip = _strip(row, scale) if row.delta_m else None
    found = provenance(runs_behind(board, row), material)
    if trials_of(row.label) is not None:
        found = replace(found, tuned=True, searched=tuple(searched_keys(row.hashes, material.files)))
    return DrawnRow(row, anchor, own.places.get(row.label), rank, found, strip)


def row_data(
    drawn: DrawnRow,
    board: Board,
    ranking: Sequence[Ranking],
    material: Material,
    damaged: list[Damaged] | None,
) -> dict[str, Any]:
    """For the script: numbers to draw, and what unfolds below the row."""
    row, runs = drawn.row, runs_behind(board, drawn.row)
    gradients = gradients_of(runs[0], material, damaged) if len(runs) == 1 else None
    return {
        "label": row.label,
        "anchor": drawn.anchor,
        "single": row.is_single_task,
        "standing": row.standing,
        "delta": estimate_data(row.delta_m),
        "tone": tone(row),
        "changes": {task: estimate_data(change) for task, change in row.changes.items()},
        "seeds": [[seed, short(value)] for seed, value in sorted(row.per_seed.items())],
        "passes": short(row.cost.passes),
        "places": {one.definition: one.places[row.label] for one in ranking if row.label in one.places},
        "facts": _facts(drawn, runs),
        "commands": material.commands(runs) or [],
        "runs": [_run_data(run, material) for run in runs],
        "curves": curves(board.entries[row.label], board),
        "gradients": gradients,
    }


def estimate_data(estimate: Estimate | None) -> dict[str, Any] | None:
    """Numbers to draw and the text that the terminal shows."""
    if estimate is None:
        return None
    span = estimate.interval
    ends = [short(span.low), short(span.high)] if span else None
    return {"mean": short(estimate.mean), "span": ends, "text": signed(estimate)}


def as_yaml(node: Mapping[str, Any]) -> str:
    return yaml.dump(dict(node), Dumper=DUMPER, sort_keys=False).strip()


def _strip(row: Row, scale: Scale) -> dict[str, Any]:
    assert row.delta_m
    estimate, span = row.delta_m, row.delta_m.interval
    return {
        "zero": scale.at(0),
        "mean": scale.at(estimate.mean),
        "ends": [scale.at(span.low), scale.at(span.high)] if span else None,
        "tone": tone(row),
        "cut": not scale.holds(estimate),
    }


def _facts(drawn: DrawnRow, runs: Sequence[Run]) -> list[tuple[str, str]]:
    """What a reader checks before a number is believed."""
    records = [record for run in runs for record in run.values()]
    skipped = sum(record["failures"]["nonfinite_steps"] for record in records)
    missed = sum(record["failures"]["solver"] for record in records)
    lost = sorted(set(drawn.row.seeds) - set(drawn.row.converged))
    hosts = sorted({record["measured"]["host"] for record in records})
    versions = sorted({f"mtl_bench {record['created_by']}" for record in records})
    torch = sorted({str(record["environment"].get("versions", {}).get("torch", "")) for record in records} - {""})
    facts = [
        ("Provenance", str(drawn.provenance)),
        ("Seeds", _numbers(drawn.row.seeds)),
        ("Diverged", f"seed {_numbers(lost)}" if lost else ""),
        ("Failures", f"{skipped} steps skipped, {missed} solver residuals missed" if skipped or missed else ""),
        ("Measured on", "; ".join(hosts)),
        ("Software", ", ".join([*versions, *(f"torch {version}" for version in torch)])),
    ]
    return [(name, text) for name, text in facts if text]


def _numbers(values: Sequence[int]) -> str:
    whole = len(values) > 2 and list(values) == list(range(values[0], values[-1] + 1))
    return f"{values[0]}–{values[-1]}" if whole else ", ".join(map(str, values))


def _run_data(run: Run, material: Material) -> dict[str, Any]:
    record = next(iter(run.values()))
    method = record["config"].get("method")
    return {
        "hash": record["hash"][:12],
        "tasks": record["tasks"],
        "method": as_yaml(method) if method else "",
        "records": [
            [seed, path.as_posix(), material.link(path) if material.link else None]
            for seed, path in record_paths(run, material)
        ],
    }
