"""Which layer a parameter belongs to, by its name."""

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Context

UNNAMED = "of the optimizer"  # stands in the name of a parameter that no model has a name for: its place


def layer_of(name: str) -> str:
    """The module that holds a parameter."""
    return name.rpartition(".")[0]


def require_layers(method: object, context: Context) -> None:
    """Raises BenchError where a shared parameter has no name: all of them would be one layer."""
    if any(UNNAMED in name for name in context.shared):
        raise BenchError(
            f"{type(method).__name__} goes by layers, which the names of parameters tell, so give Stepper model=."
        )
