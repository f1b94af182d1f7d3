"""Configurations made from another one."""

from pathlib import Path

import pytest
from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.records import identity_hash
from mtl_bench.training.build import build
from mtl_bench.training.derived_nodes import first_part, split_nodes
from mtl_bench.training.plan import NODES, Plan, make_plan
from tests.runs import STOPS, Compose, assert_same, begin, train

BUDGET = {"_target_": "mtl_bench.training.budget.Budget", "amount": 120}
LENET = {"channels": [3], "embedding": 6, "norm": True}
SPLIT = ["encoder.0", "encoder.5"]  # its convolution and its embedding; the norm between them stays shared
STEPS = {"_target_": "mtl_bench.training.schedules.Milestones", "milestones": [0.2, 0.5], "gamma": 0.1}


def test_a_share_is_the_beginning_of_the_training() -> None:
    found = first_part({"budget": BUDGET, "schedule": STEPS, "batch_size": 256}, 0.25)
    assert found["budget"]["amount"] == 30
    assert found["batch_size"] == 256
    schedule = build(found["schedule"], "schedule")
    assert [schedule.factor(progress) for progress in (0, 0.79, 0.81, 1)] == pytest.approx([1, 1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("amount", "unit", "share", "part"),
    [(6, "epochs", 0.25, 2), (2, "epochs", 0.1, 1), (0.5, "epochs", 0.5, 0.5), (100, "batches", 0.25, 25)],
)
def test_epochs_are_counted_whole(amount: float, unit: str, share: float, part: float) -> None:
    found = first_part({"budget": {**BUDGET, "amount": amount, "unit": unit}, "schedule": STEPS}, share)
    assert found["budget"]["amount"] == part
    assert found["schedule"]["share"] == part / amount


def test_a_budget_of_another_kind_is_refused() -> None:
    with pytest.raises(BenchError, match="A share of the training needs"):
        first_part({"budget": {"_target_": "my.Budget"}}, 0.25)


def split_plan(compose: Compose, data: Path, method: str = "ls") -> tuple[Plan, Plan]:
    """Without copies and with."""
    given = compose(f"method={method}")
    nodes = {**given.setting.nodes, "model": {"_target_": "mtl_bench.models.LeNet", **LENET}}
    plain = make_plan(given.names, nodes, given.seed, None, data)
    nodes |= split_nodes(nodes["model"], nodes["protocol"], SPLIT)
    return plain, make_plan(given.names, nodes, given.seed, None, data)


@pytest.mark.parametrize("method", ["uw", "pcgrad"])
def test_a_split_run_that_was_stopped_is_the_undisturbed_one(
    method: str, compose: Compose, data: Path, tmp_path: Path
) -> None:
    _, split = split_plan(compose, data, method)
    whole = train(split, tmp_path / "whole")
    assert_same(train(split, tmp_path / "stopped", STOPS), whole)
    assert whole.record["counts"]["forwards"] == 2 * whole.record["counts"]["batches"]


def test_a_record_says_all_that_it_takes_to_run_it_again(compose: Compose, data: Path, tmp_path: Path) -> None:
    plain, split = split_plan(compose, data)
    record = train(split, tmp_path).record
    assert record["config"]["model"]["split"] == SPLIT
    repeated = make_plan(
        split.names, {name: record["config"][name] for name in NODES}, record["seed"], record["config"]["only"], data
    )
    assert repeated.hash == record["hash"] == split.hash != plain.hash
    assert record["identity"]["model"]["base"] == plain.identity["model"]
    assert record["baselines"] == plain.setting.baselines(list(plain.tasks))  # one task has nothing to copy
    model = begin(plain, tmp_path / "plain").machine.model
    once, again = (
        sum(p.numel() for p in module.parameters())
        for module in (model, nn.ModuleList(model.get_submodule(n) for n in SPLIT))
    )
    assert record["parameters"] == once + again


def test_other_layers_are_another_run(compose: Compose, data: Path) -> None:
    plain, split = split_plan(compose, data)
    other = split_nodes(plain.setting.model, plain.setting.nodes["protocol"], ["encoder.0"])
    assert identity_hash(other["model"]) != identity_hash(split.setting.model)
