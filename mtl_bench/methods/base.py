"""A method owns the whole step of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import OutOfMemoryError, Tensor

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.methods.interface import Context, Step
from mtl_bench.methods.plain_options import check_plain


@dataclass(kw_only=True, eq=False)
class Method(ABC):
    """How the K task losses of one batch become parameter updates.

    `natural_sum` is what a method's weights sum to when the tasks agree: "k", 1 (then `scaled` multiplies by k, the
    tasks in the batch, so that equal weights always mean the plain sum of losses) or None (no fixed sum).
    `raw_scale=True` keeps a paper's own scale. `parts`: into how many a batch is split at most. `state` names the
    attributes a checkpoint carries; a value that has `state_dict` itself (a nested weighting, trainable scalars) is
    saved through it. A tensor among them grows by rows, unless `setup` makes it empty.
    """

    natural_sum: ClassVar[Literal["k", 1] | None]
    revision: ClassVar[int] = 1
    parts: ClassVar[int] = 1
    state: ClassVar[tuple[str, ...]] = ("solver_failures",)

    raw_scale: bool = False
    solver_failures: int = field(default=0, init=False)

    def setup(self, context: Context) -> None:
        """Called before training; one that has trained before begins anew. Raises BenchError for options that cannot
        be, and for a model that the method cannot serve."""
        self.check_options()
        if "_begun" in vars(self):
            vars(self).update(deepcopy(self._begun))
        else:  # as a whole: what belongs together (an optimizer and its parameters) stays together
            made = [each.name for each in fields(self) if not each.init and hasattr(self, each.name)]
            self._begun: dict[str, Any] = deepcopy({name: getattr(self, name) for name in made})
        self.context = context

    def check_options(self) -> None:
        """Raises BenchError for what can be said of the options without a model: here, that each is of the kind that
        the class says, and a number finite."""
        check_plain(self, "method.")

    @property
    def is_set_up(self) -> bool:
        return "context" in vars(self)

    @abstractmethod
    def update(self, step: Step) -> None:
        """Everything that happens on one batch."""

    def end_epoch(self, means: Float[Tensor, "K"]) -> None:  # noqa: B027  most methods keep no history
        """Receives the raw mean training losses of the epoch (host; NaN for a task without a label in it)."""

    def findings(self) -> dict[str, Any]:
        """What the method has found out so far, asked for after each `end_epoch` and kept in the record.

        Plain numbers, strings and lists of them by name (a matrix over tasks is a list of K rows, tasks in dataset
        order), small enough to be read. Empty: nothing to tell.
        """
        return {}

    def missed_residuals(self) -> int:
        """How often a solver missed its bound, those of a nested weighting included."""
        return self.solver_failures

    def scaled(self, weights: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
        return weights * len(weights) if self.natural_sum == 1 and not self.raw_scale else weights

    def state_dict(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self._state_names() if hasattr(self, name)}
        return {name: value.state_dict() if hasattr(value, "state_dict") else value for name, value in found.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises BenchError for the state of other options or tasks; what it has moved by then, `setup` clears."""
        try:
            names = [*self._state_names()]
            if type(self).state_dict is Method.state_dict and state.keys() != set(names):
                raise ValueError(f"it holds {', '.join(state)}, where {', '.join(names)} are kept")
            for name in names:
                self._load(name, state[name])
        except (BenchError, OutOfMemoryError):
            raise
        except Exception as error:  # whatever a state of another shape leads to
            raise BenchError(
                f"This state is of other options or tasks than {type(self).__name__} has here ({unforeseen(error)}); "
                "make the method as it was when the state was saved."
            ) from error

    def _load(self, name: str, saved: Any) -> None:
        """Raises ValueError for rows of another shape than `setup` made; what there is before it is free."""
        current, made = getattr(self, name), name not in vars(self).get("_begun", {})
        if hasattr(current, "load_state_dict"):
            current.load_state_dict(saved)
        elif isinstance(saved, Tensor) and isinstance(current, Tensor):
            if made and current.shape[:1] != (0,) and saved.shape[1:] != current.shape[1:]:
                raise ValueError(f"{name} has the shape {[*saved.shape]} there and {[*current.shape]} here")
            setattr(self, name, saved.to(current.device))
        elif (
            current is None
            and isinstance(saved, dict)
            and any(each.name == name and each.init for each in fields(self))
        ):
            raise ValueError(f"{name} is None here")
        else:
            setattr(self, name, deepcopy(saved))

    def _state_names(self) -> Iterator[str]:
        """Names from every class of the hierarchy, so that a subclass adds to `state` and never replaces it."""
        for owner in reversed(type(self).__mro__):
            yield from owner.__dict__.get("state", ())
