"""Memory that a constructor asks for and leaves for a later reset to write."""

import sys
from contextlib import suppress
from typing import Any

import torch
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
            with suppress(RuntimeError):  # sparse ones are empty; some kinds of few bits have no fill
                made.fill_(self.value if made.is_floating_point() else self.whole)
        return made

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        if "torch._dynamo" in sys.modules:
            torch.compiler.reset()  # which remembers code that ran under a mode as never to be compiled


def is_unwritten(tensor: Tensor, whole: int) -> bool:
    """Whether all of it holds NaN, or `whole` where it is no floating-point number."""
    return bool((tensor.isnan() if tensor.is_floating_point() else tensor == whole).all())
