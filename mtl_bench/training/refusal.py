"""Whether a method can serve a model and a protocol, asked without data."""

from collections.abc import Mapping
from typing import Any

import torch

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.methods import Method
from mtl_bench.training.assemble import context_of
from mtl_bench.training.build import build, build_model, build_optimizer, build_tasks, draws_all
from mtl_bench.training.machine import Machine
from mtl_bench.training.protocol import Training


def refusals(config: Mapping[str, Any], methods: Mapping[str, Mapping[str, Any]], per_epoch: int) -> dict[str, str]:
    """Name of a method → the sentence with which its `setup` refuses the model and protocol of a configuration, as a
    record keeps it; those that it would train are left out, and so is what cannot be built here.

    `methods` are their nodes, `per_epoch` the batches of an epoch. Nothing is asked of a model that loads weights.
    """
    if not draws_all(config["model"]):
        return {}
    try:
        machine, training = _machine(config)
    except BenchError:  # a class that is not installed here
        return {}
    found = {}
    for name, node in methods.items():
        try:
            method: Method = build(node, "method", Method)
        except BenchError:  # a library that is not installed here is no fault of the model
            continue
        try:
            method.setup(context_of(machine, training, per_epoch))
        except BenchError as error:
            found[name] = str(error)
    return found


def _machine(config: Mapping[str, Any]) -> tuple[Machine, Training]:
    training = build(config["protocol"]["training"], "protocol.training", Training)
    tasks = build_tasks(config["tasks"], config["only"])
    shape = build(config["dataset"], "dataset", Dataset).image_shape
    with torch.random.fork_rng(devices=[]):  # what is drawn here trains nothing
        model = build_model(config["model"], {name: task.outputs for name, task in tasks.items()}, shape)
    machine = Machine(
        model=model,
        tasks=tasks,
        optimizer=build_optimizer(training, model),
        generator=torch.Generator(),
        device_generator=torch.Generator(),
        device=torch.device("cpu"),
        held_out=None if training.val == "none" else _no_data,
    )
    return machine, training


def _no_data(number: int) -> Batch:
    # no BenchError, which would read as the method's own refusal
    raise RuntimeError(f"Methods are asked without data here, and one looked at batch {number} in its setup.")
