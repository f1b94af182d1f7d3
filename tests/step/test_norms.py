"""Each norm layer updates its statistics at its own first forward of a batch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.norms import NormSwitch
from tests.step.toys import OneTensor, TaskNorms, make_batch, make_machine, make_step, mask_labels


def updates(model: nn.Module) -> list[int]:
    """How often each norm has updated."""
    return [int(n) for name, n in model.named_buffers() if name.endswith("num_batches_tracked")]


def test_once_per_batch_with_one_encoder_pass() -> None:
    machine = make_machine()
    for seed in range(3):
        step = make_step(machine, make_batch(seed=seed))
        for task in step.tasks:
            step.backward(step.losses(tasks=[task]), torch.ones(1))
            step.apply()
        step.losses(grad=False)
    assert updates(machine.model) == [3]


@pytest.mark.parametrize("together", [False, True])
def test_once_per_batch_and_layer_with_a_path_per_task(together: bool) -> None:
    """A rule per call would leave the norms of tasks 2..K at variance 1."""
    machine = make_machine(TaskNorms)
    for seed in range(2):
        step = make_step(machine, make_batch(seed=seed))
        for tasks in [[0, 1, 2]] if together else [[0], [1], [2]]:
            step.backward(step.losses(tasks=tasks), torch.ones(len(tasks)))
            step.apply()
        step.losses(grad=False)
    assert updates(machine.model) == [2, 2, 2]
    assert not any(torch.equal(v, torch.ones_like(v)) for n, v in machine.model.named_buffers() if n.endswith("_var"))


def test_the_first_forward_counts_even_without_a_graph() -> None:
    machine = make_machine()
    step = make_step(machine)
    step.losses(grad=False)
    step.losses()
    assert updates(machine.model) == [1]


def test_norms_of_absent_tasks_stay_as_they_are() -> None:
    machine = make_machine(TaskNorms)
    make_step(machine, make_batch(unlabelled=["pose"])).losses()
    assert updates(machine.model) == [1, 0, 1]


def test_every_part_of_a_split_updates() -> None:
    machine = make_machine()
    step = make_step(machine)
    for part in step.split(3):
        part.losses()
        part.losses()
    assert updates(machine.model) == [3]


def test_bn_updates_all_follows_every_forward() -> None:
    machine = make_machine(bn_updates="all")
    step = make_step(machine)
    step.losses()
    step.losses(grad=False)
    assert updates(machine.model) == [2]


def test_a_switched_off_layer_normalises_by_the_batch_and_leaves_its_buffers_alone() -> None:
    machine = make_machine()
    step = make_step(machine)
    step.losses()
    before = {name: b.clone() for name, b in machine.model.named_buffers()}
    images: list[Tensor] = []
    machine.model.norm.register_forward_hook(lambda layer, args, output: images.append(output.detach()))  # type: ignore[union-attr,arg-type]
    step.losses()
    torch.testing.assert_close(images[0].mean(dim=(0, 2, 3)), torch.zeros(4).double())
    assert all(torch.equal(b, before[name]) for name, b in machine.model.named_buffers())


def test_evaluation_uses_running_statistics_and_updates_nothing() -> None:
    """Also when the last forward of training has switched the layer off."""
    norm = nn.Sequential(nn.BatchNorm1d(2))
    switch = NormSwitch(norm, every_forward=False)
    switch.new_batch()
    with switch.forward():
        norm(torch.randn(8, 2) + 5)
    assert switch.flags() == [False]
    norm.eval()
    before = {name: b.clone() for name, b in norm.named_buffers()}
    image = torch.randn(8, 2)
    layer = norm[0]
    expected = (image - layer.running_mean) / (layer.running_var + layer.eps).sqrt()
    torch.testing.assert_close(norm(image), expected)
    assert all(torch.equal(b, before[name]) for name, b in norm.named_buffers())
    assert switch.flags() == [False]  # an evaluation is no forward of a batch


def test_layers_that_track_nothing_are_left_alone() -> None:
    model = nn.Sequential(
        nn.BatchNorm2d(2, track_running_stats=False), nn.InstanceNorm2d(2, track_running_stats=True), nn.GroupNorm(1, 2)
    )
    switch = NormSwitch(model, every_forward=False)
    image = torch.randn(4, 2, 5, 5)
    switch.new_batch()
    assert not switch.layers
    model(image)
    switch.end_batch()
    assert [layer.track_running_stats for layer in model[:2]] == [False, True]


def test_a_layer_that_somebody_has_stopped_stays_stopped() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    switch = NormSwitch(model, every_forward=False)
    model[0].track_running_stats = False
    for _ in range(2):
        switch.new_batch()
        for _ in range(2):
            with switch.forward():
                model(torch.randn(8, 2))
        switch.end_batch()
    assert updates(model) == [0, 2]
    assert switch.flags() == [False, True]


class Again(OneTensor):
    """The same norm once more on another level, and behind it a module that moves buffers of its own."""

    def __init__(self, moving: Callable[[], nn.Module] = nn.Identity) -> None:
        super().__init__()
        self.moving = moving()

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        hidden = self.moving(self.norm(self.norm(self.conv(image)) * 3 + 2)).relu()
        return [self.linear(hidden.flatten(1)).tanh()]


class AgainByPath(Again):
    per_task_path = True


@pytest.mark.parametrize("model", [Again, AgainByPath])
def test_all_uses_in_one_pass_count_as_in_plain_torch(model: type[MultiTaskModel]) -> None:
    machine, plain = make_machine(model), make_machine(model).model
    batch = make_batch()
    step = make_step(machine, batch)
    for tasks in ([0], [1, 2], None):
        step.backward(step.losses(tasks), torch.ones(3 if tasks is None else len(tasks)))
    step.losses(grad=False)
    plain.train().encode(batch.image.double(), 0)
    assert updates(machine.model) == [2]
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(machine.model.get_buffer(name), buffer)


class Moving(nn.Module):
    """Running means: in place, by another tensor, or from nothing on."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.register_buffer("mean", None if how == "none" else torch.zeros(4, 1, 1))
        self.register_buffer("constant", torch.ones(1))

    def forward(self, image: Tensor) -> Tensor:
        now = image.detach().mean(dim=(0, 2, 3))[:, None, None]
        if self.training and self.how == "inplace":
            self.mean.lerp_(now, 0.1)  # type: ignore[operator]
        elif self.training:
            self.mean = now if self.mean is None else self.mean + 0.1 * (now - self.mean)  # type: ignore[has-type]
        return image * (1 + self.mean) * self.constant  # type: ignore[operator]


MOVING: dict[str, Callable[[], nn.Module]] = {
    "in place": lambda: Moving("inplace"),
    "by another tensor": lambda: Moving("rebound"),
    "from nothing on": lambda: Moving("none"),
    "instance norm": lambda: nn.InstanceNorm2d(4, track_running_stats=True),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 1)),
    "script": lambda: torch.jit.script(nn.InstanceNorm2d(4, track_running_stats=True)),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
@pytest.mark.parametrize("moving", [*MOVING])
@pytest.mark.parametrize("model", [Again, AgainByPath])
def test_other_buffers_move_in_the_first_pass_too(model: Callable[..., Again], moving: str) -> None:
    """Whatever else a method runs: forwards with a graph or without, at once or one after another, and trials."""
    machine, other = [make_machine(lambda: model(MOVING[moving])) for _ in range(2)]
    plain = other.model.train()
    for seed in range(2):
        batch = make_batch(seed=seed)
        with machine.means.batch():
            step = make_step(machine, batch)
            with step.trial():
                step.losses(grad=False)
            step.losses()
            with step.trial():
                step.losses(grad=False)
            early, late = step.losses([0]), step.losses([1, 2])
            step.backward(early, torch.ones(1))  # what it has read is as it was
            step.backward(late, torch.ones(2))
        with torch.no_grad():
            plain.encode(batch.image.double(), 0)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(machine.model.get_buffer(name), buffer, msg=name)


def test_buffers_follow_every_forward_where_that_is_chosen() -> None:
    machine = make_machine(lambda: Again(MOVING["in place"]), bn_updates="all")
    step = make_step(machine)
    step.losses()
    before = machine.model.get_buffer("moving.mean").clone()
    step.losses(grad=False)
    assert not torch.equal(machine.model.get_buffer("moving.mean"), before)


def test_a_buffer_that_never_moves_keeps_its_place() -> None:
    machine = make_machine(lambda: Again(MOVING["in place"]))
    before = dict(machine.model.named_buffers())
    seen = []
    moving = machine.model.get_submodule("moving")
    moving.register_forward_hook(lambda layer, args, output: seen.append((layer.mean, layer.constant)))
    step = make_step(machine)
    step.losses()
    step.losses(grad=False)
    assert [constant is before["moving.constant"] for _, constant in seen] == [True, True]
    assert [mean is before["moving.mean"] for mean, _ in seen] == [True, False]
    assert all(buffer is before[name] for name, buffer in machine.model.named_buffers())


def test_between_batches_layers_are_as_if_there_were_no_switch() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    switch = NormSwitch(model, every_forward=False)
    switch.new_batch()
    with switch.forward():
        model(torch.randn(8, 2))
    switch.end_batch()
    model(torch.randn(8, 2))
    model(torch.randn(8, 2))
    assert updates(model) == [3]
    assert switch.flags() == [True]


def test_partial_labels_normalise_by_the_whole_batch() -> None:
    """Labels decide which losses exist, never what the encoder sees."""
    batch = make_batch()
    some = torch.rand(batch.size, 3, generator=torch.Generator().manual_seed(0)).numpy() < 0.7
    full, partial = make_machine(OneTensor), make_machine(OneTensor)
    make_step(full, batch).losses()
    make_step(partial, mask_labels(batch, some)).losses()
    for name, buffer in full.model.named_buffers():
        assert torch.equal(buffer, partial.model.get_buffer(name))
