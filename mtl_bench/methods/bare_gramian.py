"""The problem of a Gramian that somebody calls a method with; that of a step needs no such look."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.kinds import distinct_places, shown
from mtl_bench.methods.interface import GramianProblem


def problem_of(
    gramian: ArrayLike,
    losses: ArrayLike | None = None,
    tasks: Iterable[int] | None = None,
    generator: torch.Generator | None = None,
) -> GramianProblem:
    """Raises BenchError for what is no Gramian, and for keywords that do not go with it."""
    checked = _gramian(gramian)
    if generator is not None and not (isinstance(generator, torch.Generator) and generator.device.type == "cpu"):
        raise BenchError(f"generator= is a torch.Generator of the CPU, or None; got {shown(generator)}.")
    k = len(checked)
    return GramianProblem(
        checked,
        None if losses is None else _losses(losses, k),
        None if tasks is None else _tasks(tasks, k),
        generator,
    )


def _gramian(given: ArrayLike) -> Float[Tensor, "k k"]:
    found = _numbers(given, "A Gramian is a tensor, an array or nested lists of numbers")
    gramian = found.double().clone()
    if gramian.ndim != 2 or not len(gramian) or len(gramian) != gramian.shape[1]:
        raise BenchError(f"A Gramian is square, [k, k] with k tasks, got {list(gramian.shape)}: give rows @ rows.T.")
    if not gramian.isfinite().all():
        raise BenchError("A Gramian is finite, this one has NaN or infinity; skip the step, or see which loss is not.")
    coarse = found.dtype in (torch.float16, torch.bfloat16)
    allowed = torch.finfo(found.dtype if coarse else torch.float32).eps ** 0.5  # doubles may have been computed as such
    allowed *= float(gramian.abs().max())
    if ((gramian - gramian.T).abs() > allowed).any():
        raise BenchError("A Gramian is symmetric, this matrix is not; give rows @ rows.T, of one set of gradients.")
    if (gramian.diagonal() < -allowed).any():
        raise BenchError("A Gramian has squared lengths on its diagonal, and one here is negative; give rows @ rows.T.")
    gramian.diagonal().clamp_(min=0)  # of what rounding leaves of a gradient of 0
    return gramian


def _losses(given: ArrayLike, k: int) -> Float[Tensor, "k"]:
    losses = _numbers(given, "losses= are numbers in a list, an array or a tensor").double()
    if losses.shape != (k,) or not losses.isfinite().all():
        raise BenchError(f"losses= are {k} finite numbers, one for each row of the Gramian; got {shown(given)}.")
    return losses


def _tasks(given: Iterable[int], k: int) -> tuple[int, ...]:
    tasks = distinct_places(given)
    if tasks is None or len(tasks) != k:
        raise BenchError(f"tasks= are {k} places in the list of all tasks, one for each row; got {shown(given)}.")
    return tuple(tasks)


def _numbers(given: Any, wanted: str) -> Tensor:
    """On the host, without a graph, real; a half-precision type stays, which tells how coarse the numbers are."""
    refusal = BenchError(f"{wanted}, not {shown(given)}.")
    try:
        if isinstance(given, Tensor):
            found = given.detach().cpu()
            if found.layout is not torch.strided or found.is_complex():
                raise refusal
            return found
        if isinstance(given, list | tuple) and any(isinstance(each, Tensor) for each in given):
            return torch.stack([torch.as_tensor(each).detach().cpu().double() for each in given])
        array = np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise refusal
        own = np.float16 if array.dtype.itemsize == 2 and array.dtype.kind == "f" else np.float64
        return torch.from_numpy(array.astype(own, order="C"))  # a copy in native order, whatever it was a view of
    except (TypeError, ValueError, RuntimeError) as error:
        raise refusal from error
