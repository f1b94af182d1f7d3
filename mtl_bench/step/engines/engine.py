"""The second seam: how per-task gradients are taken."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.methods.interface import Level, TaskGradients
from mtl_bench.step.buffers import RowBuffers
from mtl_bench.step.contract import check_last_shared
from mtl_bench.step.engines.factored import Factoring
from mtl_bench.step.engines.feature import FeatureRows, feature_rows
from mtl_bench.step.engines.flat import FlatRows, flat_rows
from mtl_bench.step.engines.graph import Graph
from mtl_bench.step.engines.together import pays, small
from mtl_bench.step.ownership import Ownership
from mtl_bench.step.reduce import Reduce

OnWrite = Callable[[Tensor | None], None]


class Engine(ABC):
    """Takes gradients of single tasks; lives as long as the run and owns what it reuses.

    `sweeps_late`: writing runs the encoder's backward, so the parameters must not have moved since the forward.
    """

    sweeps_late: ClassVar[bool] = False

    def forward(self) -> AbstractContextManager[object]:
        """Around a forward whose rows will be asked for: an engine may watch or change how the encoder runs."""
        return nullcontext()

    @abstractmethod
    def sweeps(self, tasks: int) -> int:
        """Encoder backwards for so many tasks."""

    @abstractmethod
    def rows(
        self,
        graph: Graph,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        weights: Float[Tensor, "k"] | None,
        on_write: OnWrite,
        whole: bool = True,
    ) -> TaskGradients:
        """Gradients of weights[i] · l_i (None: of l_i), one row per task. `on_write` is called before each write.

        `whole`: rows themselves will be asked for.
        """


class Flat(Engine):
    """Exact rows by k encoder backwards into a k × P buffer; the reference. One buffer per object that is alive.

    Where rows are not asked for as a whole, large weights stay in factors. `together`: the encoder bears one sweep for
    all tasks, which is taken where it pays.
    """

    def __init__(self, ownership: Ownership, reduce: Reduce, together: bool = False) -> None:
        self.ownership, self.reduce = ownership, reduce
        parameters = list(ownership.shared.values())
        self.buffers = RowBuffers(parameters)
        self.factoring = Factoring(parameters if reduce.processes == 1 else [], self.buffers.dtype)
        self.together = together and bool(parameters) and small(parameters)

    def sweeps(self, tasks: int) -> int:
        return tasks

    def rows(
        self,
        graph: Graph,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        weights: Float[Tensor, "k"] | None,
        on_write: OnWrite,
        whole: bool = True,
    ) -> FlatRows:
        together = self.together and pays(graph, tasks)
        factored = {} if whole or together else self.factoring.find(graph, tasks)
        found = flat_rows(graph, tasks, values, weights, self.ownership, self.buffers, factored, on_write, together)
        if factored:
            self.factoring.learn(factored)
        else:
            self.reduce.sum_in_place([found.matrix(), *found.heads.present()])
        return found


class Feature(Engine):
    """Rows at the shared tensors, or with `last_shared` at that weight; one encoder backward, when they are combined.

    Raises BenchError where nobody has named the shared tensors, and, on the first batch of a task, where
    `last_shared` is not the last layer that its loss goes through.
    """

    sweeps_late: ClassVar[bool] = True

    def __init__(self, ownership: Ownership, reduce: Reduce, last_shared: nn.Parameter | None = None) -> None:
        self.ownership, self.reduce, self.last_shared = ownership, reduce, last_shared
        self.checked: frozenset[int] = frozenset()  # tasks whose losses reach `last_shared`

    def sweeps(self, tasks: int) -> int:
        return 1

    def rows(
        self,
        graph: Graph,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        weights: Float[Tensor, "k"] | None,
        on_write: OnWrite,
        whole: bool = True,
    ) -> FeatureRows:
        self.reduce.refuse("A gradient at the features")
        if self.last_shared is not None and not self.checked.issuperset(tasks):
            check_last_shared(graph, self.last_shared, self.ownership.shared)
            self.checked |= {*tasks}
        return feature_rows(graph, tasks, values, weights, self.ownership, self.last_shared, on_write)


def engines(
    ownership: Ownership,
    reduce: Reduce,
    per_task_path: bool,
    last_shared: nn.Parameter | None,
    together: bool,
) -> Mapping[Level, Engine | str]:
    """By level; a sentence where this model can have none."""
    found: dict[Level, Engine | str] = {
        "shared": Flat(ownership, reduce, together),
        "feature": Feature(ownership, reduce),
    }
    found["last_layer"] = "This model has no last shared layer, which this method balances at."
    if last_shared is not None:
        found["last_layer"] = Feature(ownership, reduce, last_shared)
    if per_task_path:
        late: tuple[Level, ...] = ("feature", "last_layer")
        path = "Gradients at {} need one shared encoder pass; this model has a path per task."
        found |= {level: path.format(level) for level in late}
    return found
