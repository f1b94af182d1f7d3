"""Layers whose gradient is a product of two factors, read off the graph of autograd."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import Node

from mtl_bench.step.reach import leaf_of, nodes_behind

READS = {  # layer → where the weight comes in, whether transposed, and what torch calls the layer's input
    "ConvolutionBackward0": (1, False, "input"),
    "AddmmBackward0": (2, True, "mat1"),
    "MmBackward0": (1, True, "self"),
}


class Layer(NamedTuple):
    """A linear layer or a convolution in the graph: what it read, and where gradients arrive at its output.

    `positions` are the rows of its input (n): of a convolution, the pixels of its output in all samples.
    """

    node: Any  # of torch's C++, by class name
    read: Tensor
    positions: int

    @property
    def convolves(self) -> bool:
        return self.read.ndim > 2

    def inputs(self, weight: Float[Tensor, "out *window"]) -> Float[Tensor, "d n"]:
        if not self.convolves:
            return self.read.clone().T  # a view would follow who writes over it before its use
        how = self.node._saved_dilation, self.node._saved_padding, self.node._saved_stride
        return nn.functional.unfold(self.read, weight.shape[2:], *how).transpose(0, 1).flatten(1)

    def columns(self, arrived: Tensor) -> Tensor:
        """[out, n] of a convolution, else [n, out]; a copy, for who made it may write there again."""
        if not self.convolves:
            return arrived.clone()
        return arrived.transpose(0, 1).clone(memory_format=torch.contiguous_format).flatten(1)


def lone_readers(roots: Sequence[Tensor], wanted: set[int]) -> dict[int, Layer]:
    """By `id` of the `wanted` weights: layers that are the only one to read theirs, and read it as it is."""
    readers: dict[Node, list[tuple[Any, int]]] = {}
    for node in nodes_behind(roots):
        for place, (before, _) in enumerate(node.next_functions):
            if before is not None:
                readers.setdefault(before, []).append((node, place))
    found = {}
    for leaf, reading in readers.items():
        weight = leaf_of(leaf)
        if weight is None or id(weight) not in wanted or weight._backward_hooks or len(reading) > 1:
            continue
        transposed = reading[0][0].name() == "TBackward0"
        (node, place), *others = readers[reading[0][0]] if transposed else reading
        expected, across, saved = READS.get(node.name(), (None, None, ""))
        if (
            not others
            and (place, transposed) == (expected, across)
            and (layer := _layer(node, place, saved)) is not None
        ):
            found[id(weight)] = layer
    return found


def _layer(node: Any, place: int, saved: str) -> Layer | None:
    """None: its gradient is no product of two such factors, a checkpoint runs it again, or no sweep does: nothing but
    the weight needs it, so that hooks of its own would not act."""
    if not any(before for other, (before, _) in enumerate(node.next_functions) if other != place):
        return None
    shape, factor = node._input_metadata[0].shape, getattr(node, "_saved_alpha", 1)
    if node.name() == "ConvolutionBackward0" and (node._saved_transposed or node._saved_groups > 1 or len(shape) != 4):
        return None
    if factor != 1 or getattr(node, f"_raw_saved_{saved}").unpack_hook is not None:
        return None
    read = getattr(node, f"_saved_{saved}").detach()
    return Layer(node, read, shape[0] * math.prod(shape[2:])) if read.layout == torch.strided else None
