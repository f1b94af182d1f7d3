from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_bench import vision
from mtl_bench.errors import BenchError
from mtl_bench.tasks import Regression

ERRORS: list[Literal["l1", "mse"]] = ["l1", "mse"]


def drawn(batch: int = 30, values: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(batch, values, generator=torch.Generator().manual_seed(seed)).mul_(2)


def holes(target: Tensor, share: float = 0.4, seed: int = 5) -> Tensor:
    """The target with missing elements."""
    missing = torch.rand(target.shape, generator=torch.Generator().manual_seed(seed)) < share
    return target.masked_fill(missing, torch.nan)


def reference(output: Tensor, target: Tensor) -> np.ndarray:
    """Residuals of the elements that are there, in float64."""
    residual = (output.detach().double() - target.double()).numpy()
    return residual[~np.isnan(residual)]


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("error", ERRORS)
def test_loss_is_the_sum_over_elements_that_are_there(error: Literal["l1", "mse"], share: float) -> None:
    output, target = drawn(), holes(drawn(seed=1), share)
    total, count = Regression(3, error).loss(output, target)
    residual = reference(output, target)
    assert total.item() == pytest.approx((np.abs(residual) if error == "l1" else residual**2).sum(), rel=1e-5)
    assert count.item() == len(residual)


def test_normalise_all_divides_by_every_element() -> None:
    output, target = drawn(), holes(drawn(seed=1))
    valid, everything = (Regression(3, normalise=rule).loss(output, target) for rule in ("valid", "all"))
    assert torch.equal(valid[0], everything[0])
    assert everything[1].item() == 90 > valid[1].item()


@pytest.mark.parametrize("error", ERRORS)
def test_missing_elements_feel_nothing(error: Literal["l1", "mse"]) -> None:
    output, target = drawn().requires_grad_(), holes(drawn(seed=1))
    Regression(3, error).loss(output, target)[0].backward()
    assert output.grad is not None
    assert not output.grad[target.isnan()].any()
    assert output.grad[~target.isnan()].all()


@pytest.mark.parametrize("error", ERRORS)
def test_a_batch_without_a_label_is_zero_without_nan(error: Literal["l1", "mse"]) -> None:
    task, output = Regression(3, error), drawn().requires_grad_()
    nothing = torch.full((30, 3), torch.nan)
    total, count = task.loss(output, nothing)
    (total / count.clamp(min=1)).backward()
    assert (total.item(), count.item()) == (0.0, 0)
    assert output.grad is not None
    assert not output.grad.any()
    assert task.measure(output, nothing).tolist() == [0, 0, 0]


@pytest.mark.parametrize("error", ERRORS)
def test_a_wrong_prediction_stays_visible(error: Literal["l1", "mse"]) -> None:
    """Only the target says what is missing: a NaN output of a labelled element makes the loss NaN."""
    output, target = drawn(), holes(drawn(seed=1))
    position = (~target.isnan()).nonzero()[0].tolist()
    output[position[0], position[1]] = torch.nan
    assert Regression(3, error).loss(output, target)[0].isnan()


@pytest.mark.parametrize("error", ERRORS)
def test_metrics_over_batches_are_those_of_torchmetrics(error: Literal["l1", "mse"]) -> None:
    vision.torchvision()  # which torchmetrics imports, and which needs help beside a CPU-only torch
    from torchmetrics import MeanAbsoluteError, MeanSquaredError

    task, oracles = Regression(3, error, unit="m"), {"mae": MeanAbsoluteError(), "mse": MeanSquaredError()}
    totals = torch.zeros(task.totals, dtype=torch.float64)
    for seed, size in enumerate((30, 30, 7)):
        output, target = drawn(size, seed=seed), holes(drawn(size, seed=seed + 9), seed=seed)
        totals += task.measure(output, target)
        there = ~target.isnan()
        for oracle in oracles.values():
            oracle.update(output[there].double(), target[there].double())
    found = task.values(totals.tolist())
    for name, oracle in oracles.items():
        assert found[name] == pytest.approx(oracle.compute().item(), rel=1e-6)
    assert {m.name: (m.higher_is_better, m.unit) for m in task.metrics} == {"mae": (False, "m"), "mse": (False, "m²")}


def test_a_scalar_target_meets_a_head_with_one_output() -> None:
    """[batch] against [batch, 1] must not broadcast to [batch, batch]."""
    output, target = drawn(values=1), holes(drawn(values=1, seed=1)).squeeze(1)
    total, count = Regression().loss(output, target)
    residual = reference(output.squeeze(1), target)
    assert total.item() == pytest.approx(np.abs(residual).sum(), rel=1e-5)
    assert count.item() == len(residual)
    assert Regression().measure(output, target)[2] == len(residual)


def test_totals_are_float64_whatever_the_output() -> None:
    measured = Regression(3).measure(drawn().bfloat16(), drawn(seed=1))
    assert measured.dtype == torch.float64
    assert measured[2] == 90


def test_an_evaluation_without_a_label_is_an_error() -> None:
    with pytest.raises(BenchError, match="saw no label"):
        Regression().values([0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"error": "huber"}, "`l1` or `mse`, got 'huber'"), ({"normalise": "batch"}, "`valid` or `all`, got 'batch'")],
)
def test_wrong_arguments(arguments: dict, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        Regression(**arguments)


def test_a_code_below_0_is_no_label_of_a_field_of_whole_numbers() -> None:
    """As `labelled` says: loss and metrics count what it counts."""
    task, output, target = Regression(), torch.zeros(2, 1), torch.tensor([-1, 3], dtype=torch.int8)
    total, count = task.loss(output, target)
    assert (task.labelled(target).tolist(), float(total), int(count)) == ([False, True], 3.0, 1)
    assert task.values(task.measure(output, target).tolist()) == {"mae": 3.0, "mse": 9.0}
