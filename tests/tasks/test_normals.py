import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_bench.errors import BenchError
from mtl_bench.tasks import Normals
from mtl_bench.tasks.normals import BINS, RESOLUTION, histogram_median
from tests.tasks.maps import directions, outputs


def angles(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Degrees between the vectors of valid pixels, by the arc cosine."""
    there = ~np.isnan(target).any(axis=1)
    a, b = (np.moveaxis(x.astype(np.float64), 1, -1)[there] for x in (output, target))
    cosines = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


@pytest.mark.parametrize("noise", [0.02, 0.3, 3.0])
def test_metrics_are_those_of_numpy(noise: float) -> None:
    task, found = Normals(), []
    totals = torch.zeros(task.totals, dtype=torch.float64)
    for seed, batch in enumerate((8, 8, 3)):
        target = directions(batch, seed=seed)
        output = 5 * (directions(batch, 0.0, seed) + noise * outputs(3, batch, seed))
        totals += task.measure(output, target)
        found.append(angles(output.numpy(), target.numpy()))
    exact, values = np.concatenate(found), task.values(totals.tolist())
    assert values["mean"] == pytest.approx(exact.mean(), rel=1e-6)
    assert abs(values["median"] - np.median(exact)) <= RESOLUTION
    for limit in (11.25, 22.5, 30):
        assert values[f"within_{limit:g}"] == pytest.approx(100 * (exact < limit).mean(), rel=1e-12)


def test_quantised_predictions_are_those_of_a_png() -> None:
    """By hand: (1, 0, 0) is stored as (255, 127, 127) and read as (1, -1/255, -1/255)."""
    target = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    task = Normals(quantise=True)
    found = task.values(task.measure(7 * target, target).tolist())["mean"]
    assert found == pytest.approx(np.degrees(np.arctan(np.sqrt(2) / 255)), rel=1e-5)
    output, target = outputs(3, 400), directions(400)
    pixels = ((torch.nn.functional.normalize(output.double(), dim=1) + 1) * 255 / 2).numpy().astype(np.uint8)
    exact = angles(2 * pixels.astype(np.float64) / 255 - 1, target.numpy())
    found = task.values(task.measure(output, target).tolist())["mean"]
    assert found == pytest.approx(exact.mean(), abs=1e-4)
    assert Normals().values(Normals().measure(output, target).tolist())["mean"] != pytest.approx(found, abs=1e-6)


@given(st.lists(st.floats(0, 180), min_size=1, max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_median_of_the_histogram_is_within_its_resolution(drawn: list[float]) -> None:
    bins = [min(int(angle / RESOLUTION), BINS - 1) for angle in drawn]
    counts = torch.bincount(torch.tensor(bins), minlength=BINS)
    assert abs(histogram_median(counts).item() - np.median(drawn)) <= RESOLUTION / 2 + 1e-9


@pytest.mark.parametrize(("factor", "angle"), [(1.0, 0.0), (-1.0, 180.0), (1e-9, 0.0), (0.0, 90.0)])
def test_special_angles(factor: float, angle: float) -> None:
    target = directions(share=0.0)
    values = Normals().values(Normals().measure(factor * target, target).tolist())
    assert values["mean"] == pytest.approx(angle, abs=1e-5)  # of the vectors in float32
    assert values["median"] == pytest.approx(angle, abs=RESOLUTION)


@pytest.mark.parametrize("error", ["cosine", "l1"])
def test_loss_is_that_of_unit_vectors(error: str) -> None:
    output, target = outputs(3), directions()
    total, count = Normals(error).loss(output, target)
    there = ~np.isnan(target.numpy()).any(axis=1)
    a, b = (np.moveaxis(x.numpy().astype(np.float64), 1, -1)[there] for x in (output, target))
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    expected = np.abs(a - b).sum() if error == "l1" else (1 - (a * b).sum(-1)).sum()
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert count == there.sum() * (3 if error == "l1" else 1)


@pytest.mark.parametrize("error", ["cosine", "l1"])
def test_the_zero_vector_is_no_target(error: str) -> None:
    task, output, target = Normals(error), outputs(3), directions()
    marked = torch.where(target.isnan().any(dim=1, keepdim=True), 0.0, target)
    assert task.loss(output, marked) == task.loss(output, target)
    assert torch.equal(task.measure(output, marked), task.measure(output, target))


@pytest.mark.parametrize("error", ["cosine", "l1"])
def test_gradients_match_finite_differences(error: str) -> None:
    output = outputs(3, 1).double().requires_grad_()
    target = directions(1).double()
    assert torch.autograd.gradcheck(lambda x: Normals(error).loss(x, target)[0], output)


@pytest.mark.parametrize("error", ["cosine", "l1"])
def test_the_gradient_at_zero_is_bounded(error: str) -> None:
    output = torch.zeros(8, 3, 6, 7, requires_grad=True)
    Normals(error).loss(output, directions())[0].backward()
    assert output.grad is not None
    assert 0 < output.grad.abs().max() <= 1e3 * (1 + 1e-5)


def test_a_nan_prediction_stays_visible_and_counts_as_opposite() -> None:
    output = torch.full((8, 3, 6, 7), torch.nan)
    assert Normals().loss(output, directions())[0].isnan()
    values = Normals().values(Normals().measure(output, directions()).tolist())
    assert np.isnan(values["mean"])
    assert values["median"] == pytest.approx(180, abs=RESOLUTION)
    assert values["within_30"] == 0


def test_an_unknown_error_of_normals_is_refused() -> None:
    with pytest.raises(BenchError, match="`cosine` or `l1`, got 'l2'"):
        Normals("l2")  # type: ignore[arg-type]
