"""Gains of all tasks, running statistics of each."""

import torch
from torch import nn

from mtl_bench.models.task_copies import choose_task
from mtl_bench.models.task_norm import norms_by_weight
from mtl_bench.models.task_statistics import TaskStatistics, with_task_statistics

TASKS = ["left", "right"]


def test_in_training_it_is_a_batchnorm_and_afterwards_one_per_task() -> None:
    module, norms = TaskStatistics(nn.BatchNorm2d(3), TASKS), {task: nn.BatchNorm2d(3) for task in TASKS}
    with torch.no_grad():
        for affine in (module[1], *norms.values()):
            affine.get_parameter("weight").copy_(torch.tensor([0.5, 2.0, -1.0]))
            affine.get_parameter("bias").copy_(torch.tensor([1.0, 0.0, 3.0]))
    maps = {"left": torch.randn(4, 3, 5, 6), "right": 2 * torch.randn(4, 3, 5, 6) + 1}
    for train in (True, False):
        module.train(train)
        for task, norm in norms.items():
            choose_task(module, task)
            torch.testing.assert_close(module(maps[task]), norm.train(train)(maps[task]))


def test_a_layer_without_gains_of_a_task_has_no_norms_per_task() -> None:
    layers = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    with_task_statistics(layers, TASKS)
    assert isinstance(layers[1], TaskStatistics)
    assert norms_by_weight(layers) == {}
    assert [name for name, _ in layers[1].named_parameters()] == ["1.weight", "1.bias"]


def test_what_a_norm_was_stays() -> None:
    """Loaded gains and statistics, and how it is computed."""
    norm = nn.BatchNorm2d(3, eps=0.1, momentum=0.5)
    for value in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        assert value is not None
        value.uniform_(0.5, 2)
    module, x = TaskStatistics(norm, TASKS), torch.randn(4, 3, 5, 6)
    for train in (False, True, False):
        choose_task(module, "right")
        torch.testing.assert_close(module.train(train)(x), norm.train(train)(x))
