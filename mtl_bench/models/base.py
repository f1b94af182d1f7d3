"""What the trainer and the gradient engines may ask of a model."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.task_copies import copied_layers
from mtl_bench.models.task_norm import Norm, norms_by_weight


class MultiTaskModel(nn.Module, ABC):
    """An encoder that all tasks share, and one head per task.

    A subclass sets `heads`, keyed by task name in dataset order, and writes `encode`. Every parameter outside `heads`
    counts as shared and must be used in `encode` only: heads read the shared tensors through taps, so what a shared
    parameter received in `decode` would be lost without a sign. A model that shares otherwise overrides
    `shared_parameters` and `task_parameters`. No layer may be followed by an operation that overwrites its output with
    another gradient (an in-place ReLU): engines read cotangents at layer outputs.
    """

    revision: ClassVar[int] = 1
    auxiliary_weight: float = 1.0  # of the losses of outputs beside the prediction (deep supervision)
    per_task_path: bool = False  # True: `encode` depends on the task (norms per task), K tasks need K forwards
    sweeps_together: bool = False  # True: the trainer may go back through the encoder once for all tasks, see `Stepper`
    heads: nn.ModuleDict

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in dataset order; position k is the task index k everywhere else."""
        return tuple(self.heads)

    @abstractmethod
    def encode(self, image: Float[Tensor, "batch channels height width"], task: int | None = None) -> list[Tensor]:
        """The shared tensors, each with `batch` first; `task` matters where `per_task_path` is true."""

    def decode(self, features: list[Tensor], task: int) -> Tensor | Sequence[Tensor]:
        """The output of one task's head, `[batch, outputs, ...]`; the head takes the shared tensors in order.

        With deep supervision several outputs, all of that shape: the prediction first, then those that only train.
        """
        return self.heads[self.tasks[task]](*features)

    @property
    def last_shared(self) -> nn.Parameter | None:
        """Weight of the last shared linear or convolutional layer (GradNorm's W), or none; norms do not count."""
        weights = [parameter for parameter in self.shared_parameters().values() if parameter.ndim > 1]
        return weights[-1] if weights else None

    def shared_parameters(self) -> dict[str, nn.Parameter]:
        """Name → parameter that two or more losses reach (with one task: that its loss would share), forward order."""
        apart = ("heads.", *(f"{copy}." for copy in copied_layers(self)))
        return {name: value for name, value in self.named_parameters() if not name.startswith(apart)}

    def task_parameters(self, task: int) -> dict[str, nn.Parameter]:
        """Name → parameter that only the loss of `task` reaches: its head, and its copies of layers."""
        own = tuple(f"{path}.{self.tasks[task]}." for path in ("heads", *copied_layers(self).values()))
        return {name: value for name, value in self.named_parameters() if name.startswith(own)}

    def task_norms(self) -> dict[str, tuple[Norm, ...]]:
        """Name of a shared weight → the live norms that follow it, one per task; empty without any."""
        return norms_by_weight(self)

    def reset_module(self, module: nn.Module) -> None:
        """Draw the parameters that `module` itself owns anew, from torch's default generator.

        Raises `BenchError` for a module that owns parameters and does not say how: they would keep what the constructor
        drew, whatever the seed.
        """
        reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)  # attention's
        if callable(reset):
            reset()
        elif next(module.parameters(recurse=False), None) is not None:
            raise BenchError(
                f"{type(module).__name__} owns parameters and has no `reset_parameters()`: give it one, or "
                f"handle it in `{type(self).__name__}.reset_module`."
            )
