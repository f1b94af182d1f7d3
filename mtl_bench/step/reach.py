"""What a tensor was computed from: read off the graph of autograd, which costs no backward."""

from collections.abc import Iterable

from torch import Tensor


def leaves_of(root: Tensor, stop: Iterable[Tensor] = ()) -> set[int]:
    """`id` of every leaf to which a gradient of `root` would flow, without the ways that lead through `stop`."""
    seen = {tensor.grad_fn for tensor in stop} | {None}  # nodes, not their ids: what is not held may be made anew
    waiting, leaves = [root.grad_fn], set[int]()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        assert node is not None
        if (leaf := getattr(node, "variable", None)) is not None:
            leaves.add(id(leaf))
        waiting += [before for before, _ in node.next_functions]
    return leaves
