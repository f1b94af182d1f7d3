"""Leaves of the graph, with and without the ways through some tensors."""

import torch
from torch import nn
from torch.nn import functional as F

from mtl_bench.step.reach import entering_behind, leaves_of


def test_leaves_are_those_of_autograd() -> None:
    a, b, c, frozen = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True), torch.ones(2), torch.ones(2)
    c.requires_grad_()
    loss = (a * b.detach() + frozen * c.clone()).sum()
    given = torch.autograd.grad(loss, [a, b, c], retain_graph=True, allow_unused=True)
    assert leaves_of(loss) == {
        id(leaf) for leaf, gradient in zip((a, b, c), given, strict=True) if gradient is not None
    }
    assert leaves_of(loss) == {id(a), id(c)}


def test_a_way_around_the_stop_is_found() -> None:
    encoder, other, head = (torch.ones(2, requires_grad=True) for _ in range(3))
    feature = (encoder * other).exp()
    tap = feature.view_as(feature)
    assert leaves_of((tap * head).sum(), [tap]) == {id(head)}
    assert leaves_of((tap * head * other).sum(), [tap]) == {id(head), id(other)}
    assert leaves_of((tap * head).sum(), [feature]) == {id(head)}


def test_nothing_is_reached_without_a_graph() -> None:
    assert leaves_of(torch.ones(())) == set()


def test_long_graphs_are_walked_without_recursion() -> None:
    leaf = value = torch.ones((), requires_grad=True)
    for _ in range(5000):
        value = value + 0
    assert leaves_of(value) == {id(leaf)}


def test_layers_behind_a_layer_are_found_by_the_way_they_enter() -> None:
    image, first, second, beside = torch.ones(2, 3), *(nn.Linear(3, 3) for _ in range(3))
    picture, kernel = torch.ones(1, 3, 4, 4), nn.Parameter(torch.ones(3, 3, 1, 1))
    deep = F.conv2d(F.linear(first(image), second.weight.to(torch.float64).float()).mean() * picture, kernel)
    skip = deep + beside(image).sum()  # parallel to all of them
    for layer, behind in ((first.weight, [second.weight, kernel]), (second.weight, [kernel]), (kernel, [])):
        found = entering_behind([skip], layer)
        matrices = (first.weight, second.weight, beside.weight, kernel)
        assert [p for p in matrices if id(p) in found] == behind
    again = second(first(second(image)))  # the last use counts
    assert id(first.weight) in entering_behind([again], second.weight)
    assert id(second.weight) in entering_behind([again], first.weight)
