"""Norms per task: whose statistics move, who owns what, and that everything else stays as it was."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models import (
    MLP,
    CrossStitch,
    DeepLabV3Plus,
    DenseResNet,
    LeNet,
    MTINet,
    MultiTaskModel,
    ResNet18,
    SegNet,
    Xception,
    initialise,
)
from mtl_bench.models.task_norm import TaskNorm, norms_by_weight, with_task_norms

TASKS = {"left": 3, "left2": 1, "right": 2}  # one name is the beginning of another
SHAPE = (3, 32, 41)
Build = Callable[[bool], MultiTaskModel]
BUILD: dict[str, Build] = {
    "resnet18": lambda own: ResNet18(TASKS, SHAPE, task_norm=own),
    "dense resnet18": lambda own: DenseResNet(TASKS, SHAPE, width=4, task_norm=own),
    "pyramid": lambda own: DenseResNet(TASKS, SHAPE, width=4, pyramid=6, task_norm=own),
    "dense resnet50": lambda own: DenseResNet(TASKS, SHAPE, depth=50, width=2, task_norm=own),
    "segnet": lambda own: SegNet(TASKS, SHAPE, width=4, task_norm=own),
    "deeplab": lambda own: DeepLabV3Plus(TASKS, SHAPE, width=2, head_width=4, task_norm=own),
    "mti-net": lambda own: MTINet(TASKS, SHAPE, "resnet18", width=4, task_norm=own),
    "mti-net, hrnet": lambda own: MTINet(TASKS, SHAPE, "hrnet_w18_small", task_norm=own),
    "xception": lambda own: Xception(TASKS, SHAPE, (4, 4, 6, 6, 8), 2, 6, (6, 4, 4, 4), own),
    "cross-stitch": lambda own: CrossStitch(TASKS, SHAPE, width=4, task_norm=own),
    "lenet": lambda own: LeNet(TASKS, SHAPE, (2, 4), 5, norm=True, task_norm=own),
}


@pytest.fixture(params=BUILD)
def build(request: pytest.FixtureRequest) -> Build:
    def started(own: bool) -> MultiTaskModel:
        model = BUILD[request.param](own)
        initialise(model, 0)
        return model

    return started


@pytest.fixture
def image() -> Tensor:
    return torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_everything_but_the_norms_starts_as_without_them(build: Build, image: Tensor) -> None:
    own, common = build(True), build(False)
    ours, theirs = own.state_dict(), common.state_dict()
    both = ours.keys() & theirs.keys()
    convolutions = {f"{name}.weight" for name, part in common.named_modules() if isinstance(part, nn.Conv2d)}
    assert convolutions <= both
    assert {name for name in theirs if name.startswith("heads.")} <= both
    assert all(torch.equal(ours[name], theirs[name]) for name in both)
    assert all(torch.equal(own.encode(image, k)[0], common.encode(image)[0]) for k in range(3))


def test_shared_are_the_weights_without_norms(build: Build) -> None:
    own, common = build(True), build(False)
    norms = {
        f"{path}.{name}"
        for path, part in common.named_modules()
        for name, _ in part.named_parameters(recurse=False)
        if isinstance(part, nn.BatchNorm2d)
    }
    assert list(own.shared_parameters()) == [name for name in common.shared_parameters() if name not in norms]
    assert (own.per_task_path, common.per_task_path) == (True, False)
    last, lasts = own.last_shared, common.last_shared
    named = {name for name, value in own.named_parameters() if value is last}
    assert named == {name for name, value in common.named_parameters() if value is lasts}


def test_a_forward_moves_the_statistics_of_its_task_alone(build: Build, image: Tensor) -> None:
    model = build(True)
    norms = model.task_norms().values()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.encode(image, 1)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(".left2." in name for name in moved)
    assert [{int(norm[k].num_batches_tracked) for norm in norms} for k in range(3)] == [{0}, {1}, {0}]


def test_evaluation_uses_the_norms_of_its_task(build: Build, image: Tensor) -> None:
    model, plain = build(True), build(False).eval()
    for k in range(3):
        model.encode(image * (k + 1) + k, k)
    model.eval()
    features = [model.encode(image, k)[0] for k in range(3)]
    for k, task in enumerate(TASKS):
        state = {re.sub(rf"\.{task}(\.\w+)$", r"\1", name): value for name, value in model.state_dict().items()}
        plain.load_state_dict({name: state.get(name, value) for name, value in plain.state_dict().items()})
        assert torch.equal(features[k], plain.encode(image)[0])
    assert not torch.equal(features[0], features[1])


def test_each_norm_goes_with_the_layer_that_feeds_it(build: Build, image: Tensor) -> None:
    model = build(True)
    fed: dict[int, str] = {}
    traced: dict[str, TaskNorm] = {}
    for name, module in model.get_submodule("encoder").named_modules(prefix="encoder"):
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda _, args, out, name=name: fed.update({id(out): f"{name}.weight"}))
        elif isinstance(module, TaskNorm):
            module.register_forward_pre_hook(lambda norm, args: traced.update({fed[id(args[0])]: norm}))
    model.encode(image, 0)
    found = model.task_norms()
    assert set(found) == set(traced)
    weights = {name for name, value in model.shared_parameters().items() if value.ndim > 1}
    assert set(found) <= weights
    # LeNet's linear layer, MTI-Net's gates and convolutions per channel have no norm
    assert len(found) == len(weights) or isinstance(model, LeNet | MTINet | Xception)
    assert all(found[name] == tuple(norm.values()) for name, norm in traced.items())
    assert build(False).task_norms() == {}


def test_encode_asks_for_the_task(build: Build, image: Tensor) -> None:
    with pytest.raises(BenchError, match="needs the task"):
        build(True).encode(image)


def test_a_norm_without_a_layer_before_it_is_refused() -> None:
    norm = TaskNorm(nn.BatchNorm2d(2), ["left"])
    again = TaskNorm(nn.BatchNorm2d(2), ["a"])
    other = nn.ConvTranspose2d(2, 2, 1)  # it, not the convolution before it, feeds the norm
    for layers in (
        [norm],
        [nn.Conv2d(1, 3, 1), norm],
        [nn.Conv2d(1, 2, 1), norm, again],
        [nn.Conv2d(1, 2, 1), other, norm],
    ):
        with pytest.raises(BenchError, match="No shared layer goes with"):
            norms_by_weight(nn.Sequential(*layers))


def test_a_norm_of_another_kind_is_refused() -> None:
    for norm in (nn.GroupNorm(1, 2), nn.BatchNorm1d(2), nn.InstanceNorm2d(2)):
        with pytest.raises(BenchError, match=f"the encoder has a {type(norm).__name__}"):
            with_task_norms(nn.Sequential(nn.Conv2d(1, 2, 1), norm), ["left"])


def test_layer_norms_per_task_follow_linear_layers(image: Tensor) -> None:
    """The extension to linear layers: no statistics, gains and shifts of every task's own."""
    own, common = MLP(TASKS, SHAPE, (6, 5), task_norm=True), MLP(TASKS, SHAPE, (6, 5), norm=True)
    for model in (own, common):
        initialise(model, 0)
    found = own.task_norms()
    assert list(found) == ["encoder.1.weight", "encoder.4.weight"]
    assert [[norm.weight.shape[0] for norm in norms] for norms in found.values()] == [[6] * 3, [5] * 3]
    assert torch.equal(own.encode(image, 1)[0], common.encode(image)[0])
    with torch.no_grad():
        found["encoder.4.weight"][1].weight.mul_(2)
    assert torch.equal(own.encode(image, 0)[0], common.encode(image)[0])
    assert not torch.equal(own.encode(image, 1)[0], common.encode(image)[0])
    assert {"encoder.2.left2.weight", "encoder.5.left2.bias"} < set(own.task_parameters(1))
