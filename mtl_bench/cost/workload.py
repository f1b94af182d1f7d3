"""One batch of random numbers, and the steps on it that all others are compared with."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods import Method
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.convolutional import EncoderModel
from mtl_bench.step import Stepper
from mtl_bench.step.loop import Losses

LR = 1e-4  # small: weights stay where numbers are finite, whatever a method does


@dataclass(frozen=True)
class Workload:
    """A model, one batch for it, and the mean squared output as every task's loss: the cheapest for any shape.

    Each step works on a copy of the model with a fused Adam of its own.
    """

    model: MultiTaskModel
    image: Float[Tensor, "batch channels height width"]

    def plain(self) -> Callable[[], object]:
        """The plain sum of losses: forward, one backward, optimizer step."""
        model, optimizer = self.copied()

        def step() -> None:
            losses = self.losses(model, self.image)
            optimizer.zero_grad()
            torch.stack(losses).sum().backward()
            optimizer.step()

        return step

    def k_backward(self) -> Callable[[], object]:
        """Forward once, each head backward once, K encoder backwards, results dropped: a naive exact method's least.

        With a path per task all of it K times.
        """
        model, _ = self.copied()
        shared = list(model.shared_parameters().values())
        owned = [list(model.task_parameters(k).values()) for k in range(len(model.tasks))]

        def one_path_each() -> None:
            for k in range(len(model.tasks)):
                loss = self.loss(model, model.encode(self.image, k), k)
                torch.autograd.grad(loss, [*shared, *owned[k]], allow_unused=True)

        def one_path() -> None:
            features = model.encode(self.image)
            taps = [feature.view_as(feature) for feature in features]
            for k in range(len(model.tasks)):
                loss = self.loss(model, taps, k)
                found = torch.autograd.grad(loss, [*taps, *owned[k]], allow_unused=True)
                used = [(feature, one) for feature, one in zip(features, found, strict=False) if one is not None]
                read, cotangents = zip(*used, strict=True)
                torch.autograd.grad(read, shared, cotangents, retain_graph=True, allow_unused=True)

        return one_path_each if model.per_task_path else one_path

    def stepped(self, method: Method) -> Callable[[], object]:
        """A step of `method`. Raises BenchError, here or at the first step, for a model that it cannot serve."""
        model, optimizer = self.copied()
        weights = dict(model.named_parameters())
        losses = self.closure(model, self.image)
        stepper = Stepper(
            method,
            shared=model.shared_parameters().values(),
            heads=[model.task_parameters(k).values() for k in range(len(model.tasks))],
            optimizer=optimizer,
            model=model,
            features=[model.encoder] if isinstance(model, EncoderModel) and not model.per_task_path else [],
            per_task_path=model.per_task_path,
            task_norms={name: (weights[name], norms) for name, norms in model.task_norms().items()},
            tasks=model.tasks,
            likelihoods=["regression"] * len(model.tasks),
            total_steps=10**6,
            held_out=losses,
            sweeps_together=model.sweeps_together,
        )
        return lambda: stepper.step(losses, split=self.split(model))

    def copied(self) -> tuple[MultiTaskModel, torch.optim.Optimizer]:
        model = copy.deepcopy(self.model)
        return model, torch.optim.Adam(model.parameters(), lr=LR, fused=True)

    def split(self, model: MultiTaskModel) -> Callable[[int], list[Losses]]:
        return lambda parts: [self.closure(model, part) for part in self.image.tensor_split(parts)]

    def closure(self, model: MultiTaskModel, image: Float[Tensor, "part channels height width"]) -> Losses:
        if model.per_task_path:
            return lambda k: self.loss(model, model.encode(image, k), k)
        return lambda: self.losses(model, image)

    def losses(
        self, model: MultiTaskModel, image: Float[Tensor, "part channels height width"]
    ) -> list[Float[Tensor, ""]]:
        if model.per_task_path:
            return [self.loss(model, model.encode(image, k), k) for k in range(len(model.tasks))]
        features = model.encode(image)
        return [self.loss(model, features, k) for k in range(len(model.tasks))]

    def loss(self, model: MultiTaskModel, features: list[Tensor], task: int) -> Float[Tensor, ""]:
        output = model.decode(features, task)
        return (output if isinstance(output, Tensor) else output[0]).square().mean()
