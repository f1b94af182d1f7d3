"""Each norm layer updates its statistics at its own first forward of a batch."""

import pytest
import torch
from torch import Tensor, nn

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
        model(torch.randn(8, 2))
        model(torch.randn(8, 2))
        switch.end_batch()
    assert updates(model) == [0, 2]
    assert switch.flags() == [False, True]


def test_between_batches_layers_are_as_if_there_were_no_switch() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    switch = NormSwitch(model, every_forward=False)
    switch.new_batch()
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
