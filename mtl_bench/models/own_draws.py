"""What a constructor draws otherwise than initialisation would: such draws are kept."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.initialise import draw, to_draw
from mtl_bench.models.loaded import not_drawn
from mtl_bench.models.seeded import check_streams, seeded, stream_positions
from mtl_bench.models.tensors import alike, check_sizes, saved_tensors, tensors_of
from mtl_bench.models.unwritten import UnwrittenHolds, is_unwritten

MARK = 77  # in what nothing has drawn anew
DRAWS = 100_000  # from which on they go on by themselves, so that a loop until some draw fits comes to its end
log = logging.getLogger(__name__)


def constructed(build: Callable[[], MultiTaskModel], seed: int) -> MultiTaskModel:
    """What only the constructor draws (a random buffer) is the seed's, too, and memory that nothing writes holds 0."""
    with seeded(seed), UnwrittenHolds(0, 0):
        return build()


def as_constructed(
    build: Callable[[], MultiTaskModel], model: MultiTaskModel, seed: int, kept: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What is to stay in `model`, which is `constructed(build, seed)`: `kept` (`not_drawn`), and its own draws.

    Own draws follow the seed, but also what else the model holds: a warning says so.

    Raises BenchError for a constructor or a reset that seeds a stream itself, for draws that do not follow the seed,
    for a module that cannot be drawn, and for a parameter with numbers that nothing writes.
    """
    kept, own = _compared(build, model, kept)
    here = {name: value.clone() for name, value in tensors_of(model).items() if name in own}
    again = tensors_of(constructed(build, seed))
    if moved := [name for name, value in here.items() if not alike(value, again[name]).all()]:
        raise BenchError(
            f"{moved[0]} of the model differs each time its constructor runs, whatever the seed; draw it from the "
            "global stream of torch or numpy, which the run seeds, or from a generator with a seed of its own."
        )
    if own:
        log.warning(
            "%s%s of the model start as its constructor draws them, not as `reset_parameters()` does: from the seed, "
            "but not alike in single-task and multi-task runs; for that, draw them in `%s.reset_module`.",
            own[0],
            f" and {len(own) - 1} more parameters or buffers" if len(own) > 1 else "",
            type(model).__name__,
        )
    return {**kept, **here}


def _compared(
    build: Callable[[], MultiTaskModel], model: MultiTaskModel, kept: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """What of `kept` the constructor indeed did not draw, and names that it draws otherwise than initialisation would.

    Exact: where every draw starts alike, equal laws give equal numbers, in whatever order layers are made. What a
    model's `reset_module` draws otherwise than its modules' `reset_parameters` is not among them: there the model says
    how.
    """
    with seeded(0), _DrawsAlike():
        other = build()
        made = {name: value.clone() for name, value in tensors_of(other).items()}
    here, saved = tensors_of(model), saved_tensors(model)
    check_sizes(made, here)
    written = {name for name, value in made.items() if name in kept or not is_unwritten(value, MARK)}
    held = {n for n in written if n not in saved and alike(made[n], here[n]).all()}
    kept = {**{name: here[name].clone() for name in held}, **kept}
    if doubtful := [name for name, value in kept.items() if not alike(made[name], value).all()]:
        surely = not_drawn(build, sure=True)  # the others agreed by chance, as signs and small numbers do
        if names := [name for name in doubtful if name in surely]:
            raise BenchError(
                f"The model's constructor seeds torch before it draws {names[0]}, so that every seed of a run would "
                "start alike; leave that out."
            )
        kept = {name: value for name, value in kept.items() if name not in doubtful}
    with seeded(0), _DrawsAlike():
        anew, again = (_drawn(other, kept, other.reset_module, strict=True) for _ in range(2))
        plain = _drawn(other, kept, partial(MultiTaskModel.reset_module, other), strict=False)
    _check_drawn(model, made, anew, again)
    _check_seeding(other, kept)
    own = []
    for name in (name for name in made if name in written and name not in kept):
        left = bool((anew[name] == MARK).all())
        if left or (torch.equal(anew[name], plain[name]) and not torch.equal(made[name], anew[name])):
            own.append(name)
    return kept, own


def _check_drawn(
    model: nn.Module, made: Mapping[str, Tensor], anew: Mapping[str, Tensor], again: Mapping[str, Tensor]
) -> None:
    """Resets follow the seed, and every number of a parameter is written by one or by the constructor."""
    if moved := [name for name, value in anew.items() if not alike(value, again[name]).all()]:
        raise BenchError(
            f"{moved[0]} of the model differs each time its module is reset, whatever the seed; draw it from the "
            "global stream of torch, numpy or Python, which the run seeds."
        )
    for name, _ in model.named_parameters(remove_duplicate=False):
        if (made[name].isnan() & (anew[name] == MARK)).any():
            raise BenchError(
                f"{name} of the model has numbers that neither its constructor nor `reset_parameters()` writes: it "
                "would start as what memory held before; write them."
            )


def _check_seeding(model: MultiTaskModel, kept: Mapping[str, Tensor]) -> None:
    for name, module in to_draw(model, kept):
        first, second = (_streams_after(seed, model, name, module) for seed in (0, 1))
        check_streams(first, second, f"The reset of {name or 'the model'} ({type(module).__name__})")


def _streams_after(seed: int, model: MultiTaskModel, name: str, module: nn.Module) -> dict[str, bytes]:
    with seeded(seed):
        draw(model, name, module, model.reset_module)
        return stream_positions()


def _drawn(
    model: MultiTaskModel, kept: Mapping[str, Tensor], reset: Callable[[nn.Module], None], strict: bool
) -> dict[str, Tensor]:
    """Parameters and buffers after every module's reset; `MARK` in what none has written."""
    tensors = tensors_of(model)
    with torch.no_grad():
        for name, value in tensors.items():
            if name not in kept:
                value.fill_(MARK)
    for name, module in to_draw(model, kept):
        try:
            with seeded(0):  # of numpy and Python, too
                draw(model, name, module, reset)
        except BenchError:
            if strict:
                raise
    return {name: value.clone() for name, value in tensors.items()}


class _DrawsAlike(UnwrittenHolds):
    """Every draw from torch's global stream starts from one state; memory holds NaN, or `MARK`, until written."""

    def __init__(self) -> None:
        super().__init__(torch.nan, MARK)
        self.draws = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags and self.draws < DRAWS:
            self.draws += 1
            torch.default_generator.manual_seed(0x5EED)
        return super().__torch_dispatch__(func, types, args, kwargs)
