"""Initial weights that depend on the seed and a module's name, and on nothing else."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.task_copies import copied_layers


def initialise(model: MultiTaskModel, seed: int, kept: Mapping[str, Tensor] | None = None) -> None:
    """Reset every module of `model` from a random stream of its own, named by the module.

    `kept` are parameters and buffers that the constructor did not draw (`not_drawn`): they stay as they are.

    An encoder or a head therefore starts bit-equal whatever else the model holds: a single-task run, its multi-task run
    and one with the tasks in another order are compared from one start. Copies of a layer per task all start as the
    layer does where it is shared. The global random state stays as it was.

    Raises `BenchError` for a model that is not on the CPU (other devices draw other numbers).
    """
    if any(parameter.device.type != "cpu" for parameter in model.parameters()):
        raise BenchError("Initialise a model on the CPU and move it then, so that one seed is one start everywhere.")
    with torch.random.fork_rng(devices=[]):
        state, kept, copied = model.state_dict(), kept or {}, copied_layers(model)
        for name, module in model.named_modules():
            own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters(recurse=False)]
            if own and all(key in kept for key in own):
                continue  # loaded as a whole: such a module need not know how to draw itself
            # not torch.manual_seed: that reseeds every GPU's global stream as well
            torch.default_generator.manual_seed(_stream(seed, copied.get(name, name)))
            model.reset_module(module)
        with torch.no_grad():
            for key, value in kept.items():
                state[key].copy_(value)


def _stream(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"init/{seed}/{name}".encode()).digest()[:8], "big")
