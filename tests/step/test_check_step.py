"""`check_step`: eight correct loops pass, and eight mistakes that people make are named."""

import copy
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods import (
    FAMO,
    MGDA,
    STGU,
    TAG,
    GradDrop,
    GradVac,
    LinearScalarization,
    Method,
    PCGrad,
    RandomLossWeighting,
    Repeated,
    UPGrad,
    WPCGrad,
)
from mtl_bench.step import Stepper, check_step

LR = 0.1
AVERAGED = "shared parameters: ours divided by 3: the losses or gradients are averaged where they should be summed"


class Loop:
    """A network with three heads or more on one batch, in float64, and what people write around it."""

    def __init__(self, tasks: int = 3) -> None:
        draw = torch.Generator().manual_seed(3)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.encoder = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)).double()
            self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(tasks)).double()
        self.image = torch.randn(9, 5, generator=draw, dtype=torch.float64)
        self.targets = [3 * torch.randn(9, 2, generator=draw, dtype=torch.float64) for _ in range(tasks)]
        self.shared = list(self.encoder.parameters())
        self.own = [list(head.parameters()) for head in self.heads]
        self.every = [*self.shared, *(p for own in self.own for p in own)]
        self.sgd = torch.optim.SGD(self.every, lr=LR)

    def losses(self) -> list[Tensor]:
        z = self.encoder(self.image)
        return [(head(z) - target).square().mean() for head, target in zip(self.heads, self.targets, strict=True)]

    def rows(self, losses: Sequence[Tensor]) -> list[list[Tensor]]:
        return [list(torch.autograd.grad(loss, self.shared, retain_graph=True)) for loss in losses]

    def plain(self, factor: float = 1.0, step: bool = False) -> None:
        self.sgd.zero_grad()
        (factor * sum(self.losses())).backward()  # type: ignore[union-attr]
        if step:
            self.sgd.step()
            self.sgd.zero_grad()

    def each(self) -> None:
        self.sgd.zero_grad()
        for loss in self.losses():
            loss.backward(retain_graph=True)

    def last_alone(self) -> None:
        for loss in self.losses():
            self.sgd.zero_grad()
            loss.backward(retain_graph=True)

    def twice(self) -> None:
        self.plain()
        sum(self.losses()).backward()  # type: ignore[union-attr]

    def pcgrad(
        self,
        orders: Sequence[Sequence[int]] = ((1, 2), (2, 0), (0, 1)),
        mean: bool = False,
        by_tensor: bool = False,
        heads: bool = True,
        onto_projected: bool = False,
    ) -> None:
        losses = self.losses()
        rows = self.rows(losses)
        self.sgd.zero_grad()
        if heads:
            for loss, own in zip(losses, self.own, strict=True):
                for parameter, gradient in zip(own, torch.autograd.grad(loss, own, retain_graph=True), strict=True):
                    parameter.grad = gradient
        whole = [[torch.cat([g.flatten() for g in row])] for row in rows]
        pieces = [[g.flatten() for g in row] for row in rows] if by_tensor else whole
        results = [_projected([row[n] for row in pieces], orders, onto_projected) for n in range(len(pieces[0]))]
        flat = torch.cat(results) / (3 if mean else 1)
        for parameter, piece in zip(self.shared, flat.split([p.numel() for p in self.shared]), strict=True):
            parameter.grad = piece.view_as(parameter)

    def mgda(self) -> None:
        """Frank–Wolfe for long enough on the Gramian, weights times three; heads with their own gradients."""
        losses = self.losses()
        rows = torch.stack([torch.cat([g.flatten() for g in row]) for row in self.rows(losses)])
        weights = torch.full((3,), 1 / 3, dtype=torch.float64)
        for _ in range(20000):
            slopes = rows @ rows.T @ weights
            corner = torch.eye(3, dtype=torch.float64)[slopes.argmin()]
            way = corner - weights
            square = way @ (rows @ rows.T) @ way
            if square <= 0:
                break
            weights = weights + (-(slopes @ way) / square).clamp(0, 1) * way
        self.plain()
        for parameter, piece in zip(
            self.shared, (3 * weights @ rows).split([p.numel() for p in self.shared]), strict=True
        ):
            parameter.grad = piece.view_as(parameter)


def _projected(rows: list[Tensor], orders: Sequence[Sequence[int]], onto_projected: bool) -> Tensor:
    found = [row.clone() for row in rows]
    for i, order in enumerate(orders):
        for j in order:
            other = found[j] if onto_projected else rows[j]
            inner = found[i] @ other
            if i != j and inner < 0:
                found[i] = found[i] - inner / (other @ other) * other
    return torch.stack(found).sum(dim=0)


def report(step: Callable[[Loop], None], method: Method | None = None, **options: Any) -> list[str]:
    loop = Loop()
    before = [p.detach().clone() for p in loop.every]
    found = check_step(loop.losses, loop.shared, loop.own, lambda: step(loop), method=method, tolerance=1e-6, **options)
    assert all(torch.equal(p, old) for p, old in zip(loop.every, before, strict=True)), "parameters are put back"
    assert all(p.grad is None for p in loop.every)
    assert found.ok == (not found.differences)
    return list(found.differences)


def test_the_tasks_conflict_so_that_mistakes_show() -> None:
    loop = Loop()
    rows = torch.stack([torch.cat([g.flatten() for g in row]) for row in loop.rows(loop.losses())])
    assert (torch.triu(rows @ rows.T, 1) < 0).sum() >= 2


@pytest.mark.parametrize(
    ("step", "method", "options"),
    [
        (Loop.plain, None, {}),
        (lambda loop: loop.plain(step=True), None, {"lr": LR}),
        (Loop.each, LinearScalarization(), {}),
        (lambda loop: loop.plain(factor=1.0), LinearScalarization(), {}),
        (Loop.pcgrad, PCGrad(), {}),
        (lambda loop: loop.pcgrad(orders=((2, 1), (0, 2), (1, 0))), PCGrad(), {}),
        (lambda loop: loop.pcgrad(orders=[torch.randperm(3).tolist() for _ in range(3)]), PCGrad(), {}),
        (lambda loop: loop.mgda(), MGDA(), {"tolerance": 1e-3}),
    ],
)
def test_correct_loops_pass(step: Callable[[Loop], None], method: Method | None, options: dict[str, float]) -> None:
    loop = Loop()
    given = {"tolerance": 1e-6, **options}
    found = check_step(loop.losses, loop.shared, loop.own, lambda: step(loop), method=method, **given)  # type: ignore
    assert found.ok, str(found)
    assert "The step is that of" in str(found)


@pytest.mark.parametrize(
    ("step", "method", "said"),
    [
        (Loop.plain, PCGrad(), ["shared parameters: the plain sum of the task gradients: the method had no effect"]),
        (
            lambda loop: loop.plain(factor=1 / 3),
            None,
            [
                AVERAGED,
                *(f"head {k}: its gradient is 0.3333 times that of its own loss" for k in range(3)),
            ],
        ),
        (
            lambda loop: loop.pcgrad(orders=(torch.randperm(3).tolist(),) * 3),
            PCGrad(),
            ["shared parameters: one random order of the tasks is shared by all, where each draws its own"],
        ),
        (
            lambda loop: loop.pcgrad(heads=False),
            PCGrad(),
            [f"head {k}: it has no gradient and stays untouched" for k in range(3)],
        ),
        (
            Loop.twice,
            None,
            [
                "shared parameters: twice ours: it was accumulated twice",
                *(f"head {k}: its gradient is 2 times that of its own loss" for k in range(3)),
            ],
        ),
        (
            Loop.last_alone,
            None,
            [
                "shared parameters: the gradient of task 2 alone: the others were cleared or overwritten",
                *(f"head {k}: it has no gradient and stays untouched" for k in range(2)),
            ],
        ),
        (
            lambda loop: loop.pcgrad(by_tensor=True),
            PCGrad(),
            ["shared parameters: the method is applied tensor by tensor, not to all of them as one vector"],
        ),
        (
            lambda loop: loop.pcgrad(orders=((0, 1, 2),) * 3, onto_projected=True),
            PCGrad(),
            ["shared parameters: gradients are projected onto others that are projected already"],
        ),
        (
            lambda loop: loop.pcgrad(mean=True),
            PCGrad(),
            [AVERAGED],
        ),
    ],
)
def test_mistakes_are_named(step: Callable[[Loop], None], method: Method | None, said: list[str]) -> None:
    assert report(step, method) == said


def test_a_gradient_of_an_earlier_backward_is_told_from_a_double_one() -> None:
    loop = Loop()
    loop.plain(factor=0.3)  # left from the batch before
    kept = [p.grad.clone() for p in loop.every if p.grad is not None]
    found = check_step(loop.losses, loop.shared, loop.own, lambda: sum(loop.losses()).backward(), tolerance=1e-6)  # type: ignore
    assert found.differences[0] == (
        "shared parameters: the gradient of an earlier backward was not cleared and is added (accumulated)"
    )
    assert all(torch.equal(p.grad, old) for p, old in zip(loop.every, kept, strict=True) if p.grad is not None)


def ours(loop: Loop, method: Method, **known: Any) -> Callable[[], None]:
    """Our own step from a random state of its own each time: right by definition."""
    seeds = count(100)

    def step() -> None:
        stepper = Stepper(
            copy.deepcopy(method), optimizer=loop.sgd, shared=loop.shared, heads=loop.own, seed=next(seeds), **known
        )
        stepper.step(loop.losses)
        stepper.remove_hooks()

    return step


@pytest.mark.parametrize(
    ("tasks", "method", "needed"),
    [
        (5, PCGrad(), ()),
        (6, PCGrad(), ()),
        (5, GradVac(), ()),
        (5, WPCGrad(), ()),
        (5, WPCGrad(variant="protected", rest=True), ()),
        (3, RandomLossWeighting(), ()),
        (3, RandomLossWeighting(law="one_hot"), ()),
        (3, PCGrad(weighting=RandomLossWeighting()), ()),
        (3, PCGrad(scale_heads=True), ()),
        (3, GradDrop(), ("features",)),
    ],
)
def test_draws_that_cannot_be_listed_are_called_neither_right_nor_wrong(
    tasks: int, method: Method, needed: Sequence[str]
) -> None:
    loop = Loop(tasks)
    known = {"features": [loop.encoder]} if needed else {}
    said = f"draws at random, and with {tasks} tasks its draws cannot all be listed"
    with pytest.raises(BenchError, match=said):
        check_step(loop.losses, loop.shared, loop.own, ours(loop, method, **known), method=method, lr=LR, **known)


@pytest.mark.parametrize(
    ("tasks", "method", "static"),
    [
        (3, GradVac(), {}),
        (4, PCGrad(), {}),
        (4, WPCGrad(), {}),
        (4, WPCGrad(variant="protected", rest=True), {}),
        (3, PCGrad(), {"a": 0.2, "b": 3.0, "c": 1.0}),
    ],
)
def test_right_steps_pass_whatever_they_draw(tasks: int, method: Method, static: dict[str, float]) -> None:
    loop = Loop(tasks)
    known: dict[str, Any] = {"tasks": list("abcd")[:tasks], "static_weights": static}
    step = ours(loop, method, **known)
    found = check_step(loop.losses, loop.shared, loop.own, step, method=method, lr=LR, tolerance=1e-6, **known)
    assert found.ok, str(found)
    if static:
        assert not check_step(loop.losses, loop.shared, loop.own, loop.pcgrad, method=method, lr=LR, **known).ok


def test_without_conflict_every_order_is_the_sum() -> None:
    loop = Loop(6)
    loop.targets = [loop.targets[0]] * 6
    for head in loop.heads:
        head.load_state_dict(loop.heads[0].state_dict())
    assert check_step(loop.losses, loop.shared, loop.own, loop.plain, method=PCGrad(), tolerance=1e-6).ok
    found = check_step(loop.losses, loop.shared, loop.own, lambda: loop.plain(1 / 6), method=PCGrad(), tolerance=1e-6)
    assert found.differences[0] == AVERAGED.replace("3", "6")


def test_the_model_is_left_without_a_trace() -> None:
    loop = Loop()
    norm = nn.BatchNorm1d(4).double()
    loop.encoder.append(norm)
    model = nn.ModuleList([loop.encoder, loop.heads])
    check_step(loop.losses, loop.shared, loop.own, loop.plain, features=[loop.encoder], model=model)
    assert norm.track_running_stats
    assert not any(module._forward_hooks for module in model.modules())
    seen = int(norm.num_batches_tracked)
    loop.losses()
    assert norm.num_batches_tracked == seen + 1


def weigh(loop: Loop, weights: Sequence[float]) -> None:
    loop.sgd.zero_grad()
    sum(w * loss for w, loss in zip(weights, loop.losses(), strict=True)).backward()  # type: ignore[union-attr]


def detach(loop: Loop) -> None:
    z = loop.encoder(loop.image).detach()
    sum((head(z) - t).square().mean() for head, t in zip(loop.heads, loop.targets, strict=True)).backward()  # type: ignore


def test_other_weights_of_the_tasks_are_said_in_numbers() -> None:
    """Another weighting, a task that is left out or detached, gradients that are clipped."""
    said = report(lambda loop: weigh(loop, (1, 2, 3)))
    assert said[0] == "shared parameters: the gradients of the tasks count 1, 2, 3 times, in their order"
    said = report(lambda loop: weigh(loop, (1, 1, 0)))
    assert said[0] == "shared parameters: the gradients of the tasks count 1, 1, 0 times, in their order"
    assert report(detach) == ["shared parameters: they have no gradient and stay untouched"]


def test_priorities_go_by_the_names_of_the_tasks() -> None:
    names, important = ["a", "b", "c"], {"b": 5.0}

    def upgrad(loop: Loop, priorities: dict[str, float] | None = None) -> None:
        stepper = Stepper(
            UPGrad(priorities=priorities), optimizer=loop.sgd, shared=loop.shared, heads=loop.own, tasks=names
        )
        stepper.step(loop.losses)

    asked: dict[str, Any] = {"method": UPGrad(priorities=important), "lr": LR, "tasks": names}
    assert report(lambda loop: upgrad(loop, important), **asked) == []
    assert report(upgrad, **asked)[0].startswith("shared parameters: the gradients of the tasks count")
    with pytest.raises(BenchError, match="priorities name b, but the tasks are task_0"):
        report(upgrad, **{**asked, "tasks": None})


def test_modules_and_frozen_layers() -> None:
    loop = Loop()
    loop.shared[0].requires_grad_(False)
    loop.heads[1].requires_grad_(False)
    assert check_step(loop.losses, loop.encoder, list(loop.heads), loop.plain, tolerance=1e-6).ok


def test_what_is_no_known_mistake_is_measured() -> None:
    def odd(loop: Loop) -> None:
        loop.plain()
        for parameter in loop.shared:
            assert parameter.grad is not None
            parameter.grad += 0.01

    (said,) = report(odd)
    assert "cosine 0." in said
    assert "no mistake known here" in said


def test_what_cannot_be_compared_is_one_sentence() -> None:
    loop = Loop()
    with pytest.raises(BenchError, match="left no gradient and moved no parameter"):
        check_step(loop.losses, loop.shared, loop.own, lambda: None)
    with pytest.raises(BenchError, match="nothing to compare"):
        check_step(loop.losses, [], loop.own, loop.plain)
    with pytest.raises(BenchError, match="returned 3 losses, and there are heads of 0 tasks"):
        check_step(loop.losses, loop.every, [], loop.plain)
    with pytest.raises(BenchError, match="in a list, not summed"):
        check_step(lambda: torch.stack(loop.losses()).sum(), loop.shared, loop.own, loop.plain)
    with pytest.raises(BenchError, match="plain SGD and give its lr"):
        check_step(loop.losses, loop.shared, loop.own, lambda: loop.plain(step=True))
    for method, steps in ((STGU(), 3), (Repeated(steps=2), 2)):
        with pytest.raises(BenchError, match=f"takes {steps} steps on a batch"):
            check_step(loop.losses, loop.shared, loop.own, loop.plain, method=method)


def test_methods_that_try_steps_or_look_again_are_compared_too() -> None:
    loop = Loop()
    before = copy.deepcopy(loop.encoder.state_dict())
    for method in (TAG(), Repeated(steps=1)):
        assert check_step(loop.losses, loop.shared, loop.own, loop.plain, method=method).ok
    found = check_step(loop.losses, loop.shared, loop.own, loop.plain, method=FAMO())  # weighs by 1 / loss at first
    assert not found.ok
    assert all(torch.equal(value, before[name]) for name, value in loop.encoder.state_dict().items())
