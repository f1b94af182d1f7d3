"""Depth is a regression with a relative error; both are compared with torchmetrics and NumPy."""

import numpy as np
import pytest
import torch

from mtl_bench import vision
from mtl_bench.errors import BenchError
from mtl_bench.tasks import DenseRegression, Depth
from mtl_bench.tasks.encodings import Affine, Log
from tests.tasks.maps import depths, numbers, outputs


def test_metrics_over_batches_are_those_of_torchmetrics() -> None:
    vision.torchvision()  # which torchmetrics imports, and which needs help beside a CPU-only torch
    from torchmetrics import MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError

    task, encoding = Depth(encoding=Log(top=10)), Log(top=10)
    oracles = {
        "abs_err": MeanAbsoluteError(),
        "rel_err": MeanAbsolutePercentageError(),
        "rmse": MeanSquaredError(squared=False),
    }
    totals = torch.zeros(task.totals, dtype=torch.float64)
    for seed, batch in enumerate((8, 8, 3)):
        output, target = outputs(1, batch, seed).sigmoid(), depths(batch, seed=seed)
        totals += task.measure(output, target)
        there = ~target.isnan()
        for oracle in oracles.values():
            oracle.update(encoding.decode(output.double())[there], target[there].double())
    found = task.values(totals.tolist())
    assert found == pytest.approx({name: oracle.compute().item() for name, oracle in oracles.items()}, rel=1e-6)
    assert [(metric.name, metric.unit) for metric in task.metrics] == [("abs_err", "m"), ("rel_err", ""), ("rmse", "m")]


@pytest.mark.parametrize("error", ["l1", "mse"])
def test_a_pixel_needs_all_its_channels(error: str) -> None:
    output, target = outputs(3), numbers(3)
    task = DenseRegression(3, error, "1/m", Affine([0, 0.5, 1], [1, 2, 4]))
    total, count = task.loss(output, target)
    there = ~np.isnan(target.numpy()).any(axis=1)
    learnt = (target.numpy() - np.array([0, 0.5, 1])[:, None, None]) / np.array([1, 2, 4])[:, None, None]
    residual = np.moveaxis(output.numpy() - learnt, 1, -1)[there]
    assert count == residual.size == 3 * there.sum()
    assert total.item() == pytest.approx((np.abs(residual) if error == "l1" else residual**2).sum(), rel=1e-5)
    found = task.values(task.measure(output, target).tolist())
    physical = residual * np.array([1, 2, 4])
    assert found == pytest.approx({"mae": np.abs(physical).mean(), "rmse": np.sqrt((physical**2).mean())}, rel=1e-6)


def test_depth_of_zero_is_missing() -> None:
    output, target = outputs(1).exp(), depths()
    for task in (Depth(), Depth(encoding=Log(top=10))):
        zero, nan = task.loss(output, target.nan_to_num(0.0)), task.loss(output, target)
        assert zero == nan
        assert torch.equal(task.measure(output, target.nan_to_num(0.0)), task.measure(output, target))


def test_metrics_compare_with_the_unclipped_target() -> None:
    target = torch.full((1, 1, 2, 2), 20.0)
    for encoding, error in ((Log(top=10), 10.0), (Affine(clip=[0, 5]), 15.0)):
        task = Depth(encoding=encoding)
        assert task.loss(encoding.encode(target), target)[0] == 0
        found = task.values(task.measure(torch.full_like(target, 1e4), target).tolist())
        assert found == pytest.approx({"abs_err": error, "rel_err": error / 20, "rmse": error})


@pytest.mark.parametrize("task", [Depth, DenseRegression])
def test_a_wrong_prediction_stays_visible(task: type[DenseRegression]) -> None:
    output, target = outputs(1), depths(share=0)
    output[0, 0, 0, 0] = torch.nan
    assert task().loss(output, target)[0].isnan()
    assert all(np.isnan(value) for value in task().values(task().measure(output, target).tolist()).values())


def test_an_encoding_of_another_number_of_channels_is_refused() -> None:
    with pytest.raises(BenchError, match="The encoding's shift has 2 numbers for 1 outputs"):
        DenseRegression(1, encoding=Affine([0, 0], [1, 1]))


@pytest.mark.parametrize("task", [Depth, DenseRegression])
def test_an_unknown_error_is_refused(task: type[DenseRegression]) -> None:
    with pytest.raises(BenchError, match="`l1` or `mse`, got 'berhu'"):
        task(error="berhu")  # type: ignore[arg-type]


def test_both_conventions_of_rmse_by_hand() -> None:
    """Errors 1 and 3 in one image, 2 in another: pooled √(14/3); per image (√5 + 2) / 2, in batches of one image."""
    target = torch.tensor([[[[5.0, 5.0]]], [[[5.0, 0.0]]]])
    output = target + torch.tensor([[[[1.0, -3.0]]], [[[2.0, 9.0]]]])
    for aggregation, expected in (("pooled", (14 / 3) ** 0.5), ("batch_mean", (5**0.5 + 2) / 2)):
        task = Depth(aggregation=aggregation)  # type: ignore[arg-type]
        totals = sum(task.measure(output[i : i + 1], target[i : i + 1]) for i in range(2))
        assert task.values(totals.tolist())["rmse"] == pytest.approx(expected, rel=1e-6)
