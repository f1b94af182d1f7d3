"""The grouping job finds its entries again, whatever the classes behind them are called by now."""

import json
from pathlib import Path

import pytest

from mtl_bench.records.identity import canonical, canonical_hash

BOARD = Path(__file__).parents[2] / "results/reference/rooms_task_norm"
ENTRIES = sorted((BOARD / "entries").glob("random-*.json"))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_committed_entries_of_a_renamed_class_keep_their_names(path: Path) -> None:
    entry = json.loads(path.read_text())
    runs = [json.loads(path.read_text()) for path in BOARD.glob("ls/*/seed-0/record.json")]  # what trains groups
    run = next(run for run in runs if run["tasks"] == entry["tasks"])
    grouping = {**entry["grouping"], "_target_": "mtl_bench.pipeline.RandomPartition"}
    identity = [run["experiment"]["hash"], run["identity"], canonical(grouping), entry["budget"], entry["seeds"]]
    assert entry["id"].endswith(canonical_hash(identity)[:8])
