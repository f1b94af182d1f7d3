"""Weights that a constructor brings along stay, and are known by name and content."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models import MLP, MultiTaskModel, initialise
from mtl_bench.models.loaded import digests, loaded, not_drawn


class Loading(MultiTaskModel):
    """Its first layer and the norm's statistics come from a file; the bias of the second starts at 0.5."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)
        self.token = nn.ParameterList([nn.Parameter(torch.empty(2))])
        self.heads = nn.ModuleDict({"left": nn.Linear(3, 2), "right": nn.Linear(3, 1)})
        nn.init.constant_(self.second.bias, 0.5)
        self.load_state_dict(torch.load(path), strict=False)

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [self.second(self.norm(self.first(image.flatten(1))))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    draw = torch.Generator().manual_seed(0)
    shapes = {"first.weight": (5, 4), "first.bias": (5,), "norm.running_mean": (5,), "token.0": (2,)}
    torch.save({name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}, tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("seed", [0, 7])
def test_initialisation_draws_what_the_constructor_draws(path: Path, seed: int) -> None:
    stored, kept = torch.load(path), not_drawn(partial(Loading, path))
    assert set(loaded(kept)) == set(stored)
    model = Loading(path)
    drawn = model.second.weight.detach().clone()
    initialise(model, seed, kept)
    state = model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in stored.items())
    assert (model.second.bias == 0.5).all()
    assert not torch.equal(model.second.weight, drawn)
    again = Loading(path)
    initialise(again, seed, kept)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())
    initialise(again, seed + 1, kept)
    assert not torch.equal(again.second.weight, model.second.weight)


def test_a_model_that_draws_all_starts_as_before() -> None:
    build = partial(MLP, {"left": 2, "right": 3}, (1, 4, 4), (8,))
    kept = not_drawn(build)
    assert not loaded(kept)
    one, other = build(), build()
    initialise(one, 0)
    initialise(other, 0, kept)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_looking_leaves_the_random_state() -> None:
    before = torch.get_rng_state()
    not_drawn(partial(MLP, {"left": 2}, (1, 4, 4), (8,)))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_digest_is_of_the_content_by_part(path: Path) -> None:
    weights = loaded(not_drawn(partial(Loading, path)))
    found = digests(weights | {"heads.left.weight": torch.ones(2)})
    assert set(found) == {"shared", "left"}
    changed = {**weights, "first.bias": weights["first.bias"] + 1e-6}
    assert digests(changed)["shared"] != found["shared"] == digests(weights)["shared"]
    assert digests({}) == {}


class Adapted(Loading):
    """One column (a fourth channel, say) is drawn."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with torch.no_grad():
            self.first.weight[:, 0].normal_()


class Seeding(Loading):
    def __init__(self, path: Path) -> None:
        torch.manual_seed(0)
        super().__init__(path)


def test_weights_loaded_in_part_and_constructors_that_seed_are_refused(path: Path) -> None:
    with pytest.raises(BenchError, match=r"first\.weight of the model is loaded in part \(15 of 20 numbers\)"):
        not_drawn(partial(Adapted, path))
    with pytest.raises(BenchError, match="constructor seeds torch"):
        not_drawn(partial(Seeding, path))


def few_rows() -> nn.Embedding:
    table = nn.Embedding(100, 4)
    table.weight.data[:2] = torch.arange(8.0).view(2, 4)
    return table


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_few_loaded_numbers_are_told_from_chance(dtype: torch.dtype) -> None:
    with pytest.raises(BenchError, match=r"weight of the model is loaded in part \(8 of 400 numbers\)"):
        not_drawn(lambda: few_rows().to(dtype))
    assert not not_drawn(lambda: nn.Embedding(100, 400).to(dtype))


def test_the_padding_of_an_embedding_is_no_loaded_part() -> None:
    assert not not_drawn(lambda: nn.Embedding(4, 6, padding_idx=0))


class Attending(MLP):
    def __init__(self) -> None:
        super().__init__({"left": 2}, (1, 4, 4), (8,))
        self.attention = nn.MultiheadAttention(8, 2)


def test_attention_is_drawn_from_the_seed() -> None:
    kept = not_drawn(Attending)
    ends = []
    for seed in (0, 0, 1):
        model = Attending()
        initialise(model, seed, kept)
        ends.append(model.attention.in_proj_weight)
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_weights_of_any_type_have_a_digest() -> None:
    """numpy has no bfloat16."""
    weights = {"first.weight": torch.ones(2, 3, dtype=torch.bfloat16), "count": torch.tensor(3)}
    assert set(digests(weights)) == {"shared"}
    assert digests(weights) != digests(weights | {"count": torch.tensor(4)})
