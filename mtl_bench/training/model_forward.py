"""The forward of a model on its tasks: training, evaluation, rehearsal and kept pictures all take this one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.split import Batch
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.forward import Forward, Forwarded
from mtl_bench.step.reduce import Alone, Reduce
from mtl_bench.tasks import Task


class ModelForward:
    """The only place that knows paths per task, autocast, auxiliary outputs and a model's condition.

    `autocast` is the type of training; predictions are made without. A model may decode several outputs per task: the
    first is the prediction, the others are trained by the same loss, times `model.auxiliary_weight`. `passed` is
    told of the end of each task's path where there is one per task.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        tasks: Mapping[str, Task],
        autocast: torch.dtype | None = None,
        reduce: Reduce | None = None,
        passed: Callable[[], None] = lambda: None,
    ) -> None:
        self.model, self.tasks, self.autocast = model, tasks, autocast
        self.names = list(tasks)
        self.reduce, self.passed = reduce or Alone(), passed

    def on(self, batch: Batch, loss: Callable[[Batch, int, Tensor], Tensor] | None = None) -> Forward:
        """The losses of one batch; `loss` of a task's prediction replaces what its task says."""
        loss = loss or self._mean

        def forward(tasks: Sequence[int], with_graph: frozenset[int], condition: object = None) -> Forwarded:
            found = Forwarded({}, {}, {})
            shared: tuple[list[Tensor], list[Tensor]] | None = None
            for task in tasks:
                keep = task in with_graph
                if shared is None or self.model.per_task_path:
                    grad = keep if self.model.per_task_path else bool(with_graph)
                    with torch.set_grad_enabled(grad), self._precision():
                        features = self.encode(batch.image, task, condition)
                        shared = features, [feature.view_as(feature) for feature in features]
                found.features[task], found.taps[task] = shared
                with torch.set_grad_enabled(keep):
                    found.terms[task] = self._loss(batch, shared[1], task, loss)
                if self.model.per_task_path:
                    self.passed()
            return found

        return forward

    def predictions(self, batch: Batch, tasks: Sequence[int] | None = None) -> Iterator[tuple[int, Tensor]]:
        """Task and prediction, one after another; without autocast."""
        features = None
        for task in range(len(self.names)) if tasks is None else tasks:
            if features is None or self.model.per_task_path:
                features = self.encode(batch.image, task)
            yield task, self.decode(features, task)[0]

    def encode(self, image: Tensor, task: int, condition: object = None) -> list[Tensor]:
        """`task` matters where the model has a path per task."""
        given = {} if condition is None else {"condition": condition}
        dtype = next(self.model.parameters()).dtype
        return self.model.encode(image.to(dtype), task if self.model.per_task_path else None, **given)

    def decode(self, features: list[Tensor], task: int) -> Sequence[Tensor]:
        """The prediction, and auxiliary outputs if there are any."""
        found = self.model.decode(list(features), task)  # a list of its own: heads may take it apart
        return [found] if isinstance(found, Tensor) else found

    def _loss(
        self, batch: Batch, taps: list[Tensor], task: int, loss: Callable[[Batch, int, Tensor], Tensor]
    ) -> Float[Tensor, ""]:
        with self._precision():
            outputs = self.decode(taps, task)
        prediction, *auxiliary = outputs
        total = loss(batch, task, prediction)
        for output in auxiliary:
            total = total + self.model.auxiliary_weight * loss(batch, task, output)
        return total

    def _mean(self, batch: Batch, task: int, output: Tensor) -> Float[Tensor, ""]:
        name = self.names[task]
        output = output.float() if self.autocast else output
        total, count = self.tasks[name].loss(output, batch.targets[name])
        return total / self.reduce.sum(count).clamp(min=1)

    def _precision(self) -> AbstractContextManager[object]:
        device = next(self.model.parameters()).device
        return torch.autocast(device.type, self.autocast) if self.autocast else nullcontext()
