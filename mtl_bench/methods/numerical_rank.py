"""Methods that go by the rank of a Gramian."""

from dataclasses import dataclass

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.methods.interface import Context

FLOAT32 = 1.1920929e-07  # distance of 1 to the next number


@dataclass(kw_only=True, eq=False)
class NumericalRank(Method):
    """Counts eigenvalues below k `eps` of the largest as 0; `eps` is the rounding of float32 rows.

    Raises BenchError for an `eps` that would count every eigenvalue as 0, or is negative.
    """

    eps: float = FLOAT32

    def setup(self, context: Context) -> None:
        super().setup(context)
        self.eps_of(len(context.tasks))

    def eps_of(self, k: int) -> float:
        """`eps`. Raises BenchError where it is none for k tasks."""
        if not 0 <= self.eps < 1 / k:
            raise BenchError(
                "method.eps, times the number of tasks, is the share of the largest eigenvalue that counts as 0: from "
                f"0 to below 1/{k}, got {self.eps}."
            )
        return self.eps
