"""All parameters and buffers of a model, by the names that modules give them, whatever hooks make of a state."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Detached; one that is tied under each of its names."""
    found = (model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False))
    return {name: value.detach() for named in found for name, value in named}


def saved_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Those of its state: without buffers of `persistent=False`."""
    passing = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules(remove_duplicate=False)
        for name in module._non_persistent_buffers_set
    }
    return {name: value for name, value in tensors_of(model).items() if name not in passing}


def alike(one: Tensor, other: Tensor) -> Tensor:
    """Where two tensors of one shape hold the same, NaN included."""
    return (one == other) | ((one != one) & (other != other))


def check_sizes(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    """Raises BenchError where two constructors made models of other tensors."""
    if {name: value.shape for name, value in one.items()} != {name: value.shape for name, value in other.items()}:
        raise BenchError("The model's constructor draws how many layers or buffers it has, or their sizes; fix them.")


def check_tensors(model: nn.Module) -> None:
    """Raises BenchError for a tensor that cannot be compared, drawn, saved or loaded as numbers in memory."""
    for name, value in tensors_of(model).items():
        if kind := _kind(value):
            raise BenchError(
                f"{name} of the model is {kind}; register a plain tensor, and make the other of it in the forward."
            )
    for name, value in saved_tensors(model).items():
        if any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape, strict=True)):
            raise BenchError(
                f"{name} of the model is an expanded view, which no state can be loaded into; register its `.clone()`."
            )


def _kind(value: Tensor) -> str | None:
    if value.is_meta:
        return "on the meta device, without numbers"
    if value.is_quantized:
        return "quantised"
    if value.layout is not torch.strided or value.is_nested:
        return "sparse or nested"
    if value.is_inference():
        return "made in inference mode"
    if value.is_conj() or value.is_neg():
        return "a conjugate or negative that is not computed yet (see `resolve_conj`)"
    return f"of type {type(value).__name__}" if type(value) is not Tensor else None
