"""Configurations made from another one: a training that stops early, and a model with layers once per task."""

from collections.abc import Sequence
from typing import Any

import torch

from mtl_bench.errors import BenchError
from mtl_bench.models.split_model import splittable_layers
from mtl_bench.training.build import build_model
from mtl_bench.training.plan import Plan
from mtl_bench.training.setting import Node

SPLIT = "mtl_bench.models.split_model.split_layers"


def first_part(training: Node, share: float) -> dict[str, Any]:
    """A protocol's training stopped after a share of its budget, at the learning rates that it has until then.

    Of epochs a whole number, one or more. Raises BenchError for a budget that has no amount to take a share of.
    """
    budget = training["budget"]
    amount = budget.get("amount")
    if not isinstance(amount, int | float):
        raise BenchError("A share of the training needs protocol.training.budget.amount, which this budget has not.")
    part = share * amount
    if budget.get("unit", "epochs") == "epochs":
        part = min(amount, max(1, round(part)))
    found = {**training, "budget": {**budget, "amount": part}}
    if schedule := training.get("schedule"):
        share = part / amount
        found["schedule"] = {
            "_target_": "mtl_bench.training.schedules.Beginning",
            "schedule": schedule,
            "share": share,
        }
    return found


def split_nodes(model: Node, protocol: Node, layers: Sequence[str]) -> dict[str, Any]:
    """The nodes of the same experiment with a copy of these layers per task; single-task runs stay those of `model`."""
    reporting = protocol["reporting"]
    return {
        "model": {"_target_": SPLIT, "base": {**model, "_partial_": True}, "split": list(layers)},
        "protocol": {
            **protocol,
            "reporting": {**reporting, "single_model": reporting.get("single_model") or dict(model)},
        },
    }


def layers_of(plan: Plan) -> list[str]:
    """Names of the layers of a plan's model that can be split, in the order of the forward.

    Raises BenchError for a model that cannot be.
    """
    outputs = {name: task.outputs for name, task in plan.tasks.items()}
    with torch.random.fork_rng(devices=[]):
        return splittable_layers(build_model(plan.setting.model, outputs, plan.dataset.image_shape))
