"""What a tensor was computed from: read off the graph of autograd, which costs no backward."""

from collections.abc import Collection, Iterable, Sequence

from torch import Tensor
from torch.autograd.graph import Node

COMPILED = "CompiledFunctionBackward"  # of torch.compile: one node, whose outputs do not tell what each came from

Output = tuple[Node, int]  # of a node


def leaves_of(root: Tensor, stop: Iterable[Tensor] = (), behind: Collection[Node] = ()) -> set[int]:
    """`id` of every leaf to which a gradient of `root` would flow, without the ways that lead through `stop`.

    `behind` are nodes that are not looked into.
    """
    ends = {tensor.grad_fn for tensor in stop} | {*behind}
    nodes = {node for node, _ in _outputs([root], ends, apart=True)}
    return {id(leaf) for node in nodes if (leaf := leaf_of(node)) is not None}


def computed_from(root: Tensor, sources: Iterable[Tensor]) -> bool:
    """Whether a way back from `root` leads through one of the `sources`."""
    nodes = nodes_behind([root])
    return any(source.grad_fn in nodes for source in sources)


def nodes_behind(roots: Iterable[Tensor]) -> set[Node]:
    """All operations on the ways back from `roots`, leaves among them."""
    return {node for node, _ in _outputs(roots, set(), apart=False)}


def leaf_of(node: Node) -> Tensor | None:
    """The leaf for which a node adds up gradients; a function of a user's own may have a `variable` as well."""
    return node.variable if node.name().endswith("AccumulateGrad") else None  # type: ignore[attr-defined]


def overwritten(tensor: Tensor) -> bool:
    """Whether a view of it was written into, which gave it another history."""
    return tensor.grad_fn is not None and tensor.grad_fn.name().endswith("CopySlices")


def meeting(roots: Sequence[Tensor], stop: Sequence[Tensor]) -> bool:
    """Whether the ways of two roots down to `stop` have an operation in common."""
    ends = {tensor.grad_fn for tensor in stop}
    found = [{node for node, _ in _outputs([root], ends, apart=False)} for root in roots]
    return len(set[Node]().union(*found)) < sum(map(len, found))


def compiled_together(roots: Sequence[Tensor]) -> set[Node]:
    """Compiled graphs of which two roots read different outputs."""
    found = [
        {output for output in _outputs([root], set(), apart=True) if output[0].name() == COMPILED} for root in roots
    ]
    read = [{node: {place for other, place in outputs if other is node} for node, _ in outputs} for outputs in found]
    every = {node for nodes in read for node in nodes}
    return {node for node in every if len({frozenset(nodes[node]) for nodes in read if node in nodes}) > 1}


def entering_behind(roots: Sequence[Tensor], layer: Tensor) -> set[int]:
    """`id` of every leaf that meets a result of `layer` on the way to `roots`, as a weight does its layer's input.

    Leaves that reach this operation through others of several inputs (reparametrised weights) are not told.
    """
    follows = dict[Node, bool]()  # whether `layer` leads there
    waiting = [(root.grad_fn, False) for root in roots]
    while waiting:
        node, done = waiting.pop()
        if node is None or (node in follows and not done):
            continue
        below = [before for before, _ in node.next_functions if before is not None]
        follows[node] = done and (_leaf(node) == id(layer) or any(follows[before] for before in below))
        waiting += [] if done else [(node, True), *((before, False) for before in below)]
    found = set[int]()
    for node in follows:
        entering = {before: _leaf(before) for before, _ in node.next_functions if before is not None}
        if any(follows[before] and leaf is None for before, leaf in entering.items()):
            found |= {leaf for leaf in entering.values() if leaf is not None}
    return found - {id(layer)}


def _leaf(node: Node) -> int | None:
    """`id` of the leaf of which a node is nothing but another form (transposed, cast); None: it is more than that."""
    current: Node | None = node
    while current is not None:
        if (leaf := leaf_of(current)) is not None:
            return id(leaf)
        current = current.next_functions[0][0] if len(current.next_functions) == 1 else None
    return None


def _outputs(roots: Iterable[Tensor], ends: Collection[Node | None], apart: bool) -> set[Output]:
    """All on the way back from `roots`, before the `ends`; nodes, not their ids: what is not held may be made anew."""
    waiting = [(root.grad_fn, root.output_nr) for root in roots]
    seen = set[Output]()
    while waiting:
        node, place = waiting.pop()
        if node is None or node in ends or (node, place) in seen:
            continue
        seen.add((node, place))
        waiting += _before(node, place) if apart else node.next_functions
    return seen


def _before(node: Node, place: int) -> Sequence[tuple[Node | None, int]]:
    """What an output of a node came from; of one loss picked from a stack of them only that one."""
    before, name = node.next_functions, node.name()
    if name not in ("UnbindBackward0", "SelectBackward0") or before[0][0] is None:
        return before
    stack = before[0][0]
    if stack.name() != "StackBackward0" or node._saved_dim or stack._saved_dim:  # type: ignore[attr-defined]
        return before
    entry = place if name == "UnbindBackward0" else node._saved_index  # type: ignore[attr-defined]
    return [stack.next_functions[entry - 2**64 if entry >> 63 else entry]]  # torch keeps -1 as an unsigned number
