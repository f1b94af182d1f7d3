"""STCH: phases, and gradients of its objectives by autograd."""

from math import nan

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods.stch import STCH
from tests.methods.toys import context

ALL = (0, 1, 2)
DOUBLE = torch.float64
LOSSES = torch.tensor([0.3, 2.0, 7.0], dtype=DOUBLE)
NADIR = torch.tensor([1.0, 2.0, 4.0], dtype=DOUBLE)


def ready(epochs: int = 0, **options: object) -> STCH:
    method = STCH(**options)  # type: ignore[arg-type]
    method.setup(context())
    for _ in range(epochs):
        method.end_epoch(NADIR)
    return method


def gradient(objective: Tensor, values: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
    (found,) = torch.autograd.grad(objective, values)
    return found


@pytest.mark.parametrize("mu", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("priorities", [None, {"shape": 3}])
def test_weights_are_the_gradient_of_the_smooth_maximum(mu: float, priorities: dict[str, float] | None) -> None:
    values = LOSSES.clone().requires_grad_()
    shares = torch.tensor([0.6, 0.2, 0.2] if priorities else [1 / 3] * 3, dtype=DOUBLE)
    method = ready(2, mu=mu, warmup=1, priorities=priorities)
    objective = 3 * mu * (shares * ((values / NADIR).log() / mu).exp()).sum().log()
    assert_close(method.weights(LOSSES, tasks=ALL), gradient(objective, values), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("priorities", [None, {"shape": 3}])
def test_of_the_losses_themselves(priorities: dict[str, float] | None) -> None:
    values = LOSSES.clone().requires_grad_()
    factors = torch.tensor([1.8, 0.6, 0.6] if priorities else [1.0] * 3, dtype=DOUBLE)
    method = ready(form="loss", mu=0.7, ideal=0.1, priorities=priorities)
    objective = 3 * 0.7 * (factors * (values - 0.1) / 0.7).logsumexp(dim=0)
    assert_close(method.weights(LOSSES, tasks=ALL), gradient(objective, values), rtol=1e-5, atol=1e-7)


def test_as_published_with_an_ideal_for_each_task() -> None:
    values = LOSSES.clone().requires_grad_()
    method = ready(form="loss", mu=0.7, raw_scale=True, ideal={"shape": 0.1, "colour": 3.0}, priorities={"shape": 3})
    shares, ideal = torch.tensor([[0.6, 0.2, 0.2], [0.1, 0.0, 3.0]], dtype=DOUBLE)
    objective = 0.7 * (shares * (values - ideal) / 0.7).logsumexp(dim=0)
    assert_close(method.weights(LOSSES, tasks=ALL), gradient(objective, values), rtol=1e-5, atol=1e-7)


def test_the_warm_up_is_the_sum_of_logarithms() -> None:
    for epochs in range(3):  # 0 and 1, and 2, which measures
        assert_close(ready(epochs, warmup=2).weights(LOSSES, tasks=ALL), 1 / LOSSES, rtol=1e-6, atol=0)
    assert not torch.allclose(ready(3, warmup=2).weights(LOSSES, tasks=ALL), 1 / LOSSES)


def test_the_measured_epoch_is_the_one_after_the_warm_up() -> None:
    method = ready(warmup=1)
    for epoch in range(4):
        method.end_epoch(NADIR + epoch)
    assert method.nadir.tolist() == (NADIR + 1).tolist()


def test_equal_progress_is_scale_invariant_weighting() -> None:
    method = ready(1, warmup=0, mu=0.01)
    assert_close(method.weights(NADIR / 2, tasks=ALL), 2 / NADIR, rtol=1e-5, atol=0)


def test_towards_zero_only_the_worst_counts() -> None:
    found = ready(1, warmup=0, mu=1e-4).weights(LOSSES, tasks=ALL) * LOSSES
    assert_close(found, torch.tensor([0.0, 0.0, 3.0], dtype=DOUBLE), rtol=1e-5, atol=1e-6)


def test_a_task_without_a_label_in_the_measured_epoch_is_measured_later() -> None:
    method = ready(warmup=0)
    method.end_epoch(torch.tensor([1.0, nan, 4.0], dtype=DOUBLE))
    assert method.weights(LOSSES, tasks=ALL).isfinite().all()
    other = method.weights(LOSSES * torch.tensor([1.0, 9.0, 1.0]), tasks=ALL)
    assert_close(other[[0, 2]], method.weights(LOSSES, tasks=ALL)[[0, 2]])  # it stands where it began
    method.end_epoch(torch.tensor([5.0, 2.0, 5.0], dtype=DOUBLE))
    assert method.nadir.tolist() == [1.0, 2.0, 4.0]


def test_a_priority_of_zero() -> None:
    for form in ("log", "loss"):
        found = ready(1, warmup=0, form=form, priorities={"depth": 0}).weights(LOSSES, tasks=ALL)
        assert found[1] == 0
        assert found.isfinite().all()


@pytest.mark.parametrize("options", [{"mu": 0.0}, {"mu": -1.0}, {"warmup": -1}])
def test_ranges(options: dict[str, float]) -> None:
    with pytest.raises(BenchError, match="mu must be positive and finite, warmup not negative"):
        ready(**options)


def test_an_unknown_form() -> None:
    with pytest.raises(BenchError, match=r"method\.form is one of log, loss"):
        ready(form="max")


def test_priorities_of_zero_for_a_whole_batch_ask_for_no_step() -> None:
    method = STCH(warmup=0, priorities={"colour": 0})
    method.setup(context())
    method.end_epoch(torch.ones(3))
    method.end_epoch(torch.ones(3))
    assert method.weights(torch.ones(1), tasks=(2,)).tolist() == [0]


def test_a_run_that_is_all_warm_up_says_so(caplog: pytest.LogCaptureFixture) -> None:
    STCH(warmup=4).setup(context(epochs=6))
    assert not caplog.records
    STCH(warmup=4).setup(context(epochs=5))
    assert "scale-invariant weighting throughout" in caplog.text
