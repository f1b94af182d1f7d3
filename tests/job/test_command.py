"""The command that a record stands for composes the same cell."""

from pathlib import Path
from typing import Any, cast

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.job.command import overrides_of
from mtl_bench.records import Record
from mtl_bench.records.record import find_records
from mtl_bench.training.plan import Plan

RESULTS = Path(__file__).parents[2] / "results/reference"
TYPED = {
    "method=uw seed=3": "experiment=multidigits method=uw seed=3",
    "method=ls only=[left] seed=1": "experiment=multidigits 'only=[left]' seed=1",
    "method=mgda method.normalise=loss": "experiment=multidigits method=mgda ++method.normalise=loss seed=0",
    "model=mlp model.hidden=[12]": "experiment=multidigits model=mlp method=ls '++model.hidden=[12]' seed=0",
    "method=pcgrad +method@method.weighting=uw": None,
    "protocol.training.optimizer.lr=0.01 protocol.training.batch_size=100": None,
    "~protocol.training.schedule protocol.training.static_weights={left:2,right:1.5}": None,
    "method=upgrad method.priorities={left:3,right:1.5}": None,
    "protocol.training.optimizer={_target_:torch.optim.SGD,_partial_:true,lr:0.1,momentum:0.9}": None,
    "method._target_=mtl_bench.methods.pcgrad.PCGrad": "experiment=multidigits method=pcgrad seed=0",
}


def kept(plan: Plan) -> Record:
    """What a record of the cell says about how it was made."""
    found: dict[str, Any] = {
        "experiment": {"name": plan.names.experiment},
        "method": {"name": plan.method},
        "config": plan.config,
        "seed": plan.seed,
    }
    return cast(Record, found)


@pytest.mark.parametrize("typed", TYPED)
def test_the_command_composes_the_same_cell(typed: str, data: Path) -> None:
    plan = compose_plan(["experiment=multidigits", *typed.split()], data)
    found = overrides_of(kept(plan))
    again = compose_plan(found, data)
    assert (again.hash, again.seed, list(again.tasks)) == (plan.hash, plan.seed, list(plan.tasks))
    if (short := TYPED[typed]) is not None:
        assert " ".join(found) == short.replace("'", "")


@pytest.mark.parametrize(
    ("folder", "typed"),
    [
        ("rooms/mgda", "experiment=rooms method=mgda"),
        ("rooms_task_norm/stgu", "experiment=rooms_task_norm method=stgu"),
        ("multifashion_mnist/uw", "experiment=multifashion_mnist method=uw"),
    ],
)
def test_committed_records_say_what_was_typed(folder: str, typed: str) -> None:
    commands = {" ".join(overrides_of(record)).rpartition(" ")[0] for record in find_records([RESULTS / folder])}
    assert typed in commands


def test_an_experiment_of_ones_own_is_found_by_its_folder(tmp_path: Path, data: Path) -> None:
    record = kept(compose_plan(["experiment=multidigits", "method=ls"], data))
    record["experiment"]["name"] = "mine"
    with pytest.raises(BenchError, match="no experiment 'mine' here; name the folder of its YAML with --config-dir"):
        overrides_of(record)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\n# Mine\ndefaults: [multidigits, _self_]\n")
    assert overrides_of(record, [tmp_path]) == ["experiment=mine", "method=ls", "seed=0"]
