"""Layers that learn their sizes from the first forward start from the seed like all others."""

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models import MLP, MultiTaskModel, initialise
from mtl_bench.models.lazy import materialise

SHAPE = (1, 2, 3)


class Lazy(MultiTaskModel):
    """A lazy layer, norm and head; running statistics of its own, which every forward puts anew."""

    def __init__(self, outputs: dict[str, int], norm: bool = True) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.LazyBatchNorm1d() if norm else nn.Tanh())
        self.frozen = nn.BatchNorm1d(6).eval()
        self.register_buffer("forwards", torch.zeros(()))
        self.heads = nn.ModuleDict({name: nn.LazyLinear(n) for name, n in outputs.items()})

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        self.forwards = self.forwards + 1
        return [self.encoder(self.frozen(image.flatten(1)))]


class Auxiliary(Lazy):
    """A part for training alone."""

    def __init__(self) -> None:
        super().__init__({"left": 2})
        self.extra = nn.LazyLinear(2)

    def decode(self, features: list[Tensor], task: int) -> list[Tensor]:
        return [self.heads["left"](*features), *([self.extra(*features)] if self.training else [])]


def ready(model: MultiTaskModel, seed: int) -> dict[str, Tensor]:
    materialise(model, SHAPE)
    initialise(model, seed)
    return model.state_dict()


def test_they_start_from_the_seed_and_their_name() -> None:
    torch.manual_seed(5)
    one = ready(Lazy({"left": 3, "right": 2}), 0)
    again, alone = ready(Lazy({"right": 2, "left": 3}), 0), ready(Lazy({"left": 3}), 0)
    assert all(torch.equal(value, one[name]) for state in (again, alone) for name, value in state.items())
    torch.manual_seed(5)
    other = ready(Lazy({"left": 3}), 1)
    assert not any(torch.equal(other[name], one[name]) for name in ("encoder.1.weight", "heads.left.weight"))


def test_a_forward_for_sizes_leaves_no_trace() -> None:
    model, before = Lazy({"left": 3}), torch.get_rng_state()
    statistics = model.frozen.running_mean
    materialise(model, SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.forwards == 0
    assert model.frozen.running_mean is statistics
    assert (model.training, model.frozen.training) == (True, False)
    norm = model.encoder[2]
    assert (norm.num_batches_tracked == 0, norm.running_var.tolist()) == (True, [1.0] * 8)


def test_parts_for_training_alone_get_their_sizes() -> None:
    model = Auxiliary()
    assert ready(model, 0)["extra.weight"].shape == (2, 8)
    assert model.encoder[2].num_batches_tracked == 0


def test_a_model_without_lazy_layers_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MLP, "encode", None)
    materialise(MLP({"left": 2}, SHAPE), SHAPE)


def test_what_gets_no_size_is_named() -> None:
    with pytest.raises(BenchError, match=r"encoder\.1\.weight has no shape before the first forward"):
        initialise(Lazy({"left": 3}), 0)
    unused = Lazy({"left": 3})
    unused.add_module("spare", nn.LazyLinear(2))
    with pytest.raises(BenchError, match=r"Model Lazy has spare\.weight, which no forward gives a shape"):
        materialise(unused, SHAPE)
    with pytest.raises(BenchError, match=r"cannot give encoder\.1\.weight its shape .* \[1, 3, 3\]: RuntimeError"):
        materialise(Lazy({"left": 3}), (1, 3, 3))
