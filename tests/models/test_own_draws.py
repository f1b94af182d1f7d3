"""What a constructor draws in its own way stays so, follows the seed, and is told."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils._python_dispatch import TorchDispatchMode

from mtl_bench.errors import BenchError
from mtl_bench.models import MLP, ResNet18, initialise
from mtl_bench.models.loaded import not_drawn
from mtl_bench.models.own_draws import MARK, as_constructed, constructed

Change = Callable[[MLP], object]


class Own(MLP):
    """`change` is the end of its constructor."""

    def __init__(self, change: Change, outputs: tuple[str, ...] = ("left", "right")) -> None:
        super().__init__(dict.fromkeys(outputs, 2), (1, 2, 3), (6,))
        change(self)


class Saying(Own):
    """And says so to initialisation."""

    def reset_module(self, module: nn.Module) -> None:
        super().reset_module(module)
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight)


def begun(change: Change, seed: int = 0, kind: type[Own] = Own, outputs: tuple[str, ...] = ("left", "right")) -> Own:
    build = partial(kind, change, outputs)
    model = constructed(build, seed + 100)
    initialise(model, seed, as_constructed(build, model, seed + 100, not_drawn(build)))
    return model


def first(model: MLP) -> nn.Linear:
    layer = model.encoder[1]
    assert isinstance(layer, nn.Linear)
    return layer


def orthogonal(model: MLP) -> None:
    nn.init.orthogonal_(first(model).weight)
    nn.init.constant_(first(model).bias, -4.0)


def is_orthogonal(weight: Tensor) -> bool:
    return torch.allclose(weight @ weight.T, torch.eye(6), atol=1e-5)


def test_own_draws_stay_and_follow_the_seed(caplog: pytest.LogCaptureFixture) -> None:
    model, again, other = begun(orthogonal), begun(orthogonal), begun(orthogonal, seed=1)
    assert is_orthogonal(first(model).weight)
    assert (first(model).bias == -4).all()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert not torch.equal(first(other).weight, first(model).weight)
    assert "encoder.1.weight of the model start as its constructor draws them" in caplog.text
    assert "draw them in `Own.reset_module`" in caplog.text


def test_layers_beside_them_start_by_their_name() -> None:
    plain = MLP({"left": 2}, (1, 2, 3), (6,))
    initialise(plain, 0)
    for change in (orthogonal, lambda model: None):
        assert torch.equal(begun(change).get_parameter("heads.left.weight"), plain.get_parameter("heads.left.weight"))


def test_what_the_model_says_itself_is_drawn_by_name(caplog: pytest.LogCaptureFixture) -> None:
    both, alone = (begun(orthogonal, kind=Saying, outputs=names) for names in (("right", "left"), ("left",)))
    assert is_orthogonal(first(both).weight)
    assert all(torch.equal(value, both.state_dict()[name]) for name, value in alone.state_dict().items())
    assert not caplog.text


def normed_heads(model: MLP) -> None:
    for head in model.heads.values():
        nn.utils.weight_norm(head)


def spectral(model: MLP) -> None:
    nn.utils.spectral_norm(first(model))


def by_numpy(model: MLP) -> None:
    first(model).weight.data = torch.from_numpy(np.random.randn(6, 6)).float()


def numpy_buffer(model: MLP) -> None:
    model.register_buffer("directions", torch.from_numpy(np.random.randn(5)), persistent=False)


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (normed_heads, "heads.left.weight_g and 3 more parameters or buffers"),
        (spectral, "encoder.1.weight_u"),
        (by_numpy, "encoder.1.weight"),
        (numpy_buffer, "directions"),
    ],
)
def test_what_no_reset_draws_follows_the_seed_and_is_told(
    change: Change, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = [
        {**dict(model.named_parameters()), **dict(model.named_buffers())}[name.split()[0]]
        for model in (begun(change), begun(change), begun(change, seed=1))
    ]
    assert torch.equal(tensors[0], tensors[1])
    assert not torch.equal(tensors[0], tensors[2])
    assert name in caplog.text


def constant_buffers(model: MLP) -> None:
    model.register_buffer("places", torch.arange(5.0), persistent=False)
    model.register_buffer("nothing", torch.tensor(torch.nan))
    for dtype in (
        torch.float32,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.complex64,
        torch.int64,
        torch.uint8,
        torch.bool,
    ):
        model.register_buffer(f"scratch_{str(dtype).removeprefix('torch.')}", torch.empty(4, dtype=dtype))


class Later(nn.Module):
    """Leaves the writing to `reset_parameters`."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)


def drawn_later(model: MLP) -> None:
    model.later = Later()


def usual_layers(model: MLP) -> None:
    for layer in (nn.GRU(3, 3), nn.Embedding(4, 2, padding_idx=0), nn.BatchNorm1d(3), nn.PReLU(), nn.Bilinear(2, 2, 2)):
        model.add_module(type(layer).__name__, layer)


@pytest.mark.parametrize("change", [constant_buffers, drawn_later, usual_layers])
def test_nothing_is_told_of_what_is_as_ever(change: Change, caplog: pytest.LogCaptureFixture) -> None:
    both, alone, other = begun(change), begun(change, outputs=("left",)), begun(change, seed=1)
    for name, value in alone.named_parameters():
        assert torch.equal(value, both.get_parameter(name))
        assert torch.equal(value, other.get_parameter(name)) == bool((value == value.flatten()[0]).all())  # a constant
    assert not caplog.text


class LeftOver(TorchDispatchMode):
    """Memory that nothing has written holds the same numbers as ever, but one."""

    times = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.empty.memory_format and made.numel():
            self.times += 1
            made.copy_(torch.arange(2.0, made.numel() + 2).view_as(made)).view(-1)[0] = self.times
        return made


@pytest.mark.parametrize("change", [constant_buffers, drawn_later, usual_layers])
def test_what_memory_held_before_is_no_loaded_part(change: Change, caplog: pytest.LogCaptureFixture) -> None:
    with LeftOver():
        test_nothing_is_told_of_what_is_as_ever(change, caplog)


def test_signs_are_no_loaded_part(caplog: pytest.LogCaptureFixture) -> None:
    def signs(model: MLP) -> None:
        model.register_buffer("signs", torch.randint(2, (3000,)).float() * 2 - 1)
        model.register_buffer("sign", torch.randint(2, ()))

    assert begun(signs).get_buffer("signs").abs().sum() == 3000
    assert "signs" in caplog.text


class FromNumpy(nn.Linear):
    def reset_parameters(self) -> None:
        self.weight.data.copy_(torch.from_numpy(np.random.randn(*self.weight.shape) * random.gauss()))
        nn.init.zeros_(self.bias)


def test_resets_that_draw_from_numpy_follow_the_seed(caplog: pytest.LogCaptureFixture) -> None:
    def change(model: MLP) -> None:
        model.last = FromNumpy(3, 3)

    both, again, other = begun(change), begun(change), begun(change, seed=1)
    alone = begun(change, outputs=("left",))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in both.state_dict().items())
    assert all(torch.equal(value, both.state_dict()[name]) for name, value in alone.state_dict().items())
    assert not torch.equal(both.get_parameter("last.weight"), other.get_parameter("last.weight"))
    assert not caplog.text


def test_memory_that_nothing_writes_is_zero() -> None:
    def change(model: MLP) -> None:
        partly = torch.empty(4, 4)
        partly[0] = 1.0
        model.register_buffer("partly", partly)
        model.register_buffer("counts", torch.empty(3, dtype=torch.long))

    with LeftOver():
        model = begun(change)
    assert model.get_buffer("partly").sum() == 4
    assert not model.get_buffer("counts").any()


def test_loaded_numbers_are_not_taken_for_unwritten(caplog: pytest.LogCaptureFixture) -> None:
    def change(model: MLP) -> None:
        model.norm = nn.BatchNorm1d(2)
        model.norm.load_state_dict({**model.norm.state_dict(), "num_batches_tracked": torch.tensor(MARK)})

    assert begun(change).get_buffer("norm.num_batches_tracked") == MARK


def test_hooks_may_rename_what_a_state_holds() -> None:
    def change(model: MLP) -> None:
        orthogonal(model)
        model.encoder[1] = checkpoint_wrapper(first(model))

    found = begun(change)
    assert is_orthogonal(found.get_parameter("encoder.1._checkpoint_wrapped_module.weight"))
    assert (found.get_parameter("encoder.1._checkpoint_wrapped_module.bias") == -4).all()


def seeds_in_a_fork(model: MLP) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first(model).reset_parameters()


def fresh_numbers(model: MLP) -> None:
    model.register_buffer("noise", torch.from_numpy(np.random.default_rng().normal(size=3)))


def more_layers(model: MLP) -> None:
    for k in range(int(torch.randint(100, ()))):
        model.add_module(f"layer{k}", nn.Linear(2, 2))


def buffer_of_some_size(model: MLP) -> None:
    model.register_buffer("places", torch.nonzero(torch.rand(40) < 0.5), persistent=False)


class Reset(nn.Module):
    def __init__(self, write: Callable[[Tensor], object], *names: str) -> None:
        super().__init__()
        self.write = write
        for name in ("weight", *names):
            self.register_parameter(name, nn.Parameter(torch.empty(5)))

    def reset_parameters(self) -> None:
        self.write(self.weight.data)


def fresh_resets(model: MLP) -> None:
    model.later = Reset(lambda weight: weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=5))))


def seeding_resets(model: MLP) -> None:
    def write(weight: Tensor) -> None:
        torch.manual_seed(0)
        weight.normal_()

    model.later = Reset(write)


def forgotten(model: MLP) -> None:
    model.later = Reset(nn.init.normal_, "scale")


def half_forgotten(model: MLP) -> None:
    model.later = Reset(lambda weight: weight[:2].normal_())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (seeds_in_a_fork, r"seeds torch before it draws encoder\.1\.weight, so that every seed of a run"),
        (lambda model: np.random.seed(0), "constructor seeds numpy, so that every seed of a run"),
        (fresh_numbers, "noise of the model differs each time its constructor runs"),
        (more_layers, "constructor draws how many layers or buffers it has"),
        (buffer_of_some_size, "constructor draws how many layers or buffers it has"),
        (fresh_resets, "later.weight of the model differs each time its module is reset"),
        (seeding_resets, r"The reset of later \(Reset\) seeds torch, so that every seed of a run would start alike"),
        (forgotten, "later.scale of the model has numbers that neither its constructor nor `reset_parameters"),
        (half_forgotten, "later.weight of the model has numbers that neither its constructor nor `reset_parameters"),
    ],
)
def test_draws_that_no_seed_governs_are_refused(change: Change, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        begun(change)


def test_a_constructor_that_draws_until_it_likes_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_bench.models.own_draws.DRAWS", 1000)

    def until_small(model: MLP) -> None:
        while torch.rand(()) > 0.01:
            pass

    begun(until_small)


def test_our_own_models_draw_nothing_else() -> None:
    build = partial(ResNet18, {"left": 2}, (3, 32, 32))
    model = constructed(build, 0)
    kept = not_drawn(build)
    assert as_constructed(build, model, 0, kept).keys() == kept.keys()
