"""Memory that a constructor asks for and leaves for a later reset to write."""

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class UnwrittenHolds(TorchDispatchMode):
    """`torch.empty` and its kin hold `value`, or `whole` where they are no floating-point numbers.

    Otherwise they hold what was there before, which agrees or differs between two constructors by chance.
    """

    def __init__(self, value: float, whole: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.value, self.whole = value, whole

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.__name__.startswith(("empty", "new_empty")):
            made.fill_(self.value if made.is_floating_point() else self.whole)
        return made


def is_unwritten(tensor: Tensor, whole: int) -> bool:
    """Whether all of it holds NaN, or `whole` where it is no floating-point number."""
    return bool((tensor.isnan() if tensor.is_floating_point() else tensor == whole).all())
