# ruff: noqa: ANN001, ANN201, ANN204
"""Parts as a user may write them wrong: copied into the user's folder as `parts.py`."""

from dataclasses import dataclass

import torch
from torch import nn

from mtl_bench.data.digits import MultiDigits
from mtl_bench.methods.base import Method
from mtl_bench.models import MLP, MultiTaskModel
from mtl_bench.tasks import Classification


@dataclass(kw_only=True, eq=False)
class NoUpdate(Method):
    natural_sum = "k"


@dataclass(kw_only=True, eq=False)
class Mistaken(Method):
    natural_sum = "k"

    def update(self, step):
        raise KeyError("left")


@dataclass(kw_only=True, eq=False)
class Infinite(Method):
    natural_sum = "k"

    def update(self, step):
        losses = step.losses()
        step.backward(losses, torch.full((2,), torch.inf))
        step.apply()


@dataclass(kw_only=True, eq=False)
class Idle(Method):
    natural_sum = "k"

    def update(self, step):
        step.losses()


@dataclass(kw_only=True, eq=False)
class Twice(Method):
    natural_sum = "k"

    def update(self, step):
        losses = step.losses()
        step.backward(losses, torch.ones(2))
        step.backward(losses, torch.ones(2))


@dataclass(kw_only=True, eq=False)
class Unsaved(Idle):
    state = ("memory",)
    memory: object = frozenset({1})


class NoMethod:
    pass


class ScalarOutput(MLP):
    def decode(self, features, task):
        return features[0].mean()


class ThreeClasses(MLP):
    def decode(self, features, task):
        return super().decode(features, task)[:, :3]


class NoList(MLP):
    def encode(self, image, task=None):
        return self.encoder(image)


class OtherImages(MLP):
    def __init__(self, outputs, input_shape, hidden=(8,)):
        super().__init__(outputs, (1, 9, 9), hidden)


class OneHead(MLP):
    def __init__(self, outputs, input_shape, hidden=(8,)):
        super().__init__({"left": 10}, input_shape, hidden)


class NothingShared(MultiTaskModel):
    def __init__(self, outputs, input_shape, hidden=()):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Sequential(nn.Flatten(), nn.LazyLinear(n)) for name, n in outputs.items()})

    def encode(self, image, task=None):
        return [image]

    def reset_module(self, module):
        pass


class NoInputShape(MLP):
    def __init__(self, outputs, hidden=(8,)):
        super().__init__(outputs, (1, 24, 24), hidden)


class VectorLoss(Classification):
    def loss(self, output, target):
        return nn.functional.cross_entropy(output, target, reduction="none"), torch.tensor(1)


class MeanLoss(Classification):
    def loss(self, output, target):
        return nn.functional.cross_entropy(output, target)


class NaN(Classification):
    def loss(self, output, target):
        total, count = super().loss(output, target)
        return total * torch.nan, count


class Forgetful(MultiDigits):
    def __init__(self, name="forgetful", labels="full", data_seed=0, size=3):
        super().__init__(name, labels, data_seed)
