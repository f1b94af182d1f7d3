"""What the engines share: the Gramian, its one copy to the host, and the gradients of the heads."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import TaskGradients
from mtl_bench.step.engines.products import products
from mtl_bench.step.failures import is_finite


@dataclass
class HeadGradients:
    """Gradients of each task's own parameters, kept until the factors are known."""

    parameters: list[list[nn.Parameter]]
    gradients: list[list[Tensor | None]]

    def present(self) -> list[Tensor]:
        return [gradient for own in self.gradients for gradient in own if gradient is not None]

    def write(self, factors: Float[Tensor, "k"] | None) -> None:
        """`factors` live on the device."""
        # Always a fresh tensor: clipping scales .grad in place, and the kept gradients may be written again.
        for i, (parameters, gradients) in enumerate(zip(self.parameters, self.gradients, strict=True)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient.clone() if factors is None else gradient * factors[i]


class Rows(ABC):
    """One row per task, heads kept aside; engines say what a row is and how a direction reaches `.grad`."""

    def __init__(
        self,
        tasks: tuple[int, ...],
        values: Float[Tensor, "k"],
        heads: HeadGradients,
        named: Sequence[tuple[str, torch.Size]],
        on_write: Callable[[Float[Tensor, "k"] | None], None],  # before it writes: the weights, if there are any
    ) -> None:
        self.tasks = tasks
        self.heads = heads
        self.named = list(named)
        self._values = values
        self._host_values: Tensor | None = None
        self._on_write = on_write

    @property
    def features(self) -> Mapping[str, Tensor] | None:
        return None

    @property
    def losses(self) -> Float[Tensor, "k"]:
        if self._host_values is None:
            self._host_values = self._values.double().cpu()
        return self._host_values

    @abstractmethod
    def matrix(self) -> Float[Tensor, "k P"]:
        """All rows, in the order of `tasks`."""

    @abstractmethod
    def write_shared(self, direction: Float[Tensor, "P"]) -> None:
        """Write a direction to `.grad` of the shared parameters."""

    def require_direction(self) -> None:
        """Raises BenchError where a vector as long as a row is no direction of the shared parameters."""
        return

    def gramian(self, other: TaskGradients | None = None) -> Float[Tensor, "k k"]:
        if other is not None:
            return self.inner(other).double().cpu()
        k = len(self.tasks)
        packed = torch.cat([self.inner(self).flatten().double(), self._values.double()]).cpu()
        self._host_values = packed[k * k :]
        return packed[: k * k].view(k, k)

    def inner(self, other: TaskGradients) -> Float[Tensor, "k k"]:
        """Inner products where the rows are."""
        return products(self.matrix(), other.matrix())

    def finite(self) -> Bool[Tensor, ""]:
        return is_finite([self._values, self.matrix().norm(dim=1), *(own.norm() for own in self.heads.present())])

    def combine(self, weights: Float[Tensor, "k"], heads: Float[Tensor, "k"] | None = None) -> None:
        rows = self.matrix()
        self._write(weights.to(rows, non_blocking=True) @ rows, weights, heads)

    def assign(
        self,
        direction: Tensor | Mapping[str, Tensor],
        heads: Float[Tensor, "k"] | None = None,
        weights: Float[Tensor, "k"] | None = None,
    ) -> None:
        self.require_direction()
        # a copy of a vector: clipping scales .grad in place, and it may be the method's state
        found = self._joined(direction) if isinstance(direction, Mapping) else direction.clone()
        entries = sum(shape.numel() for _, shape in self.named)
        if found.shape != (entries,):
            raise BenchError(f"A direction is a vector as long as a row, {entries} numbers, not {list(found.shape)}.")
        self._write(found, weights, heads)

    def _joined(self, direction: Mapping[str, Tensor]) -> Float[Tensor, "P"]:
        if missing := [name for name, _ in self.named if name not in direction]:
            raise BenchError(f"A direction must name every layer; missing: {', '.join(missing)}.")
        for name, shape in self.named:
            if direction[name].numel() != shape.numel():
                raise BenchError(
                    f"A direction has the shape of the parameters, {list(shape)} at {name}, not "
                    f"{list(direction[name].shape)}; make one of the rows of all tasks."
                )
        return torch.cat([direction[name].reshape(-1) for name, _ in self.named])

    def _write(
        self, direction: Float[Tensor, "P"], weights: Float[Tensor, "k"] | None, heads: Float[Tensor, "k"] | None
    ) -> None:
        self._on_write(weights)
        self.write_shared(direction)
        self.heads.write(None if heads is None else heads.to(direction, non_blocking=True))

    def layers(self) -> Iterator[tuple[str, Float[Tensor, "k *shape"]]]:
        start = 0
        for name, shape in self.named:
            yield name, self.matrix()[:, start : start + shape.numel()].view(-1, *shape)
            start += shape.numel()
