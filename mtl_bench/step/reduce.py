"""The third seam: the one owner of what is summed over processes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, distributed

from mtl_bench.errors import BenchError


class Reduce(ABC):
    """Sums over the processes that share a batch. Every process takes the same steps in the same order.

    A loss is the sum over all samples divided by the count of all; gradients are those of that loss. What is summed:
    the counts that losses are divided by, values, rows before the Gramian, gradients as `backward` adds them.
    """

    processes = 1

    @abstractmethod
    def sum(self, value: Tensor) -> Tensor:
        """The sum over processes, detached; the argument stays as it is."""

    @abstractmethod
    def sum_in_place(self, values: Iterable[Tensor]) -> None:
        """Each becomes its sum over processes."""

    @abstractmethod
    def refuse(self, what: str) -> None:
        """Raises BenchError where processes cannot do `what` yet."""


class Alone(Reduce):
    """One process: everything is as it is."""

    def sum(self, value: Tensor) -> Tensor:
        return value

    def sum_in_place(self, values: Iterable[Tensor]) -> None:
        return

    def refuse(self, what: str) -> None:
        return


class Processes(Reduce):
    """The processes of torch.distributed's default group, each with its part of every batch.

    Raises BenchError when that group has not been made.
    """

    def __init__(self) -> None:
        if not (distributed.is_available() and distributed.is_initialized()):
            raise BenchError("Several processes need torch.distributed.init_process_group before their first step.")
        self.processes = distributed.get_world_size()

    def sum(self, value: Tensor) -> Tensor:
        total = value.detach().clone()
        distributed.all_reduce(total)
        return total

    def sum_in_place(self, values: Iterable[Tensor]) -> None:
        for value in values:
            distributed.all_reduce(value)

    def refuse(self, what: str) -> None:
        raise BenchError(f"{what} works in one process only so far; use one, or another method.")


def reduce_of_this_run() -> Reduce:
    """`Processes` where torch.distributed runs more than one, else `Alone`."""
    running = distributed.is_available() and distributed.is_initialized()
    return Processes() if running and distributed.get_world_size() > 1 else Alone()
