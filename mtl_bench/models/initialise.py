"""Initial weights that depend on the seed and a module's name, and on nothing else."""

import hashlib
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor, nn

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.lazy import waiting
from mtl_bench.models.seeded import seeded
from mtl_bench.models.task_copies import copied_layers
from mtl_bench.models.tensors import alike, tensors_of


def initialise(model: MultiTaskModel, seed: int, kept: Mapping[str, Tensor] | None = None) -> None:
    """Reset every module of `model` from a random stream of its own, named by the module.

    `kept` are parameters and buffers that the constructor did not draw (`not_drawn`): they stay as they are.

    An encoder or a head therefore starts bit-equal whatever else the model holds: a single-task run, its multi-task run
    and one with the tasks in another order are compared from one start. Copies of a layer per task all start as the
    layer does where it is shared. The global random states (torch's, numpy's, Python's) stay as they were.

    Raises `BenchError` for a model that is not on the CPU (other devices draw other numbers), for a layer that
    has no shape yet, and for a module that cannot be drawn.
    """
    if any(parameter.device.type != "cpu" for parameter in model.parameters()):
        raise BenchError("Initialise a model on the CPU and move it then, so that one seed is one start everywhere.")
    if names := waiting(model):
        raise BenchError(f"{names[0]} has no shape before the first forward: run one before initialising the model.")
    kept, copied, tensors = kept or {}, copied_layers(model), tensors_of(model)
    for name, module in to_draw(model, kept):
        with seeded(_stream(seed, copied.get(name, name))):
            draw(model, name, module, model.reset_module)
    for name, value in kept.items():
        if not alike(tensors[name], value).all():  # else it may be a view that nothing can be written into
            tensors[name].copy_(value)


def to_draw(model: nn.Module, kept: Mapping[str, Tensor]) -> Iterator[tuple[str, nn.Module]]:
    """Modules by name, but those whose parameters are all kept: such a module need not know how to draw itself."""
    for name, module in model.named_modules():
        own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters(recurse=False)]
        if not own or any(key not in kept for key in own):
            yield name, module


def draw(model: nn.Module, name: str, module: nn.Module, reset: Callable[[nn.Module], None]) -> None:
    """`reset(module)`, whose errors become a `BenchError` that names the module."""
    try:
        reset(module)
    except BenchError:
        raise
    except Exception as error:  # a layer of the user's may raise anything, or ask for an argument
        raise BenchError(
            f"{name or 'The model'} ({type(module).__name__}) cannot be drawn anew: {unforeseen(error)}; let its "
            f"`reset_parameters()` need no argument, or handle it in `{type(model).__name__}.reset_module`."
        ) from error


def _stream(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"init/{seed}/{name}".encode()).digest()[:8], "big")
