"""Published losses and metrics on Taskonomy, on arrays small enough to do by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from mtl_bench.errors import BenchError
from mtl_bench.tasks.encodings import Affine
from mtl_bench.tasks.reported_loss import LossRegression, LossSegmentation
from mtl_bench.tasks.taskonomy_quirks import LossDepth, LossNormals, rescaled
from mtl_bench.tasks.taskonomy_units import BlurredAffine, StoredLog

NAN = math.nan


def mean_loss(task: LossRegression, output: Tensor, target: Tensor) -> float:
    total, count = task.loss(output, target)
    return float(total / count)


def measured(task: LossRegression | LossSegmentation, *batches: tuple[Tensor, Tensor]) -> dict[str, float]:
    totals = sum(task.measure(*batch) for batch in batches)
    assert isinstance(totals, Tensor)
    assert len(totals) == task.totals
    return task.values(totals.tolist())


def spot(row: int, col: int, value: float = 1.0, side: int = 5) -> Tensor:
    picture = torch.zeros(1, 1, side, side)
    picture[0, 0, row, col] = value
    return picture


def test_masked_errors_are_averaged_over_all_pixels() -> None:
    target = torch.tensor([[[[1.0, NAN], [3.0, NAN]]]])
    output = torch.tensor([[[[2.0, 9.0], [6.0, 9.0]]]])
    task = LossRegression(normalise="all", encoding=Affine(shift=1, scale=2))
    encoded = (output - 1) / 2  # errors 0.5 and 1.5 in the head's units
    assert mean_loss(task, encoded, target) == 0.5  # over four pixels
    found = measured(task, (encoded, target))
    assert (found["mae"], found["loss"]) == (2.0, 0.5)
    assert mean_loss(LossRegression(encoding=Affine(shift=1, scale=2)), encoded, target) == 1.0


def test_a_picture_one_pixel_off_is_forgiven_per_image() -> None:
    target = torch.cat([spot(2, 2), spot(2, 2), spot(2, 2)])
    output = torch.cat([spot(1, 3), spot(2, 0), spot(2, 2, 0.5)])  # moved by one, by two, and too weak
    plain, forgiving = LossRegression(), LossRegression(shifts=True)
    assert mean_loss(plain, output, target) == pytest.approx((2 + 2 + 0.5) / 75)
    # of two columns off, the best move leaves the prediction outside: the missing spot alone counts
    assert mean_loss(forgiving, output, target) == pytest.approx((0 + 1 + 0.5) / 27)
    assert forgiving.loss(output, target)[1] == 27  # without the outermost pixels
    found = measured(forgiving, (output[:2], target[:2]), (output[2:], target[2:]))
    assert found["loss"] == pytest.approx(1.5 / 27)
    assert found["mae"] == pytest.approx(4.5 / 75)


def test_all_channels_move_together_and_the_gradient_follows_the_best_move() -> None:
    target = torch.cat([spot(2, 2), spot(2, 2)], dim=1)
    output = torch.cat([spot(2, 3, 0.9), spot(3, 2)], dim=1).requires_grad_()
    task = LossRegression(2, shifts=True, normalise="all")
    total, count = task.loss(output, target)
    assert (total.item(), count.item()) == (pytest.approx(0.9 + 1), 18)  # (0, 1) or (1, 0), and not both
    total.backward()
    assert output.grad is not None
    assert output.grad[0, 1, 3, 2] == 0  # up by one row: this one fits
    assert output.grad[0, 0, 2, 3] != 0


def test_shifts_by_brute_force() -> None:
    draw = torch.Generator().manual_seed(0)
    target, output = (torch.rand(4, 3, 7, 6, generator=draw) for _ in range(2))
    target[:, 1, 2:4] = NAN
    expected = 0.0
    for one, other in zip(output, target, strict=True):
        inner, moves = other[:, 1:-1, 1:-1], [(down, right) for down in range(3) for right in range(3)]
        apart = [(one[:, down : down + 5, right : right + 4] - inner).abs() for down, right in moves]
        expected += min(float(errors[:, ~inner[1].isnan()].sum()) for errors in apart)
    assert float(LossRegression(3, shifts=True).loss(output, target)[0]) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(BenchError, match="at least 3 × 3"):
        LossRegression(shifts=True).loss(torch.zeros(1, 1, 2, 5), torch.zeros(1, 1, 2, 5))


def test_cosines_of_pixels_and_of_rows() -> None:
    target = torch.zeros(1, 3, 2, 2)
    target[:, 2] = -1.0
    output = torch.zeros(1, 3, 2, 2)
    output[0, 2] = torch.tensor([[-2.0, -2.0], [3.0, 3.0]])
    assert mean_loss(LossNormals(), output, target) == pytest.approx((0 + 0 + 2 + 2) / 4, abs=1e-5)
    # rows of x and y are zero, whose cosine is 0; those of z point along and against
    assert mean_loss(LossNormals("width"), output, target) == pytest.approx((4 * 1 + 0 + 2) / 6, abs=1e-5)
    found = measured(LossNormals("width"), (output, target))
    assert found["mae"] == pytest.approx((1 + 1 + 4 + 4) / 12)
    assert found["loss"] == pytest.approx(1.0, abs=1e-5)
    # the size of a row's numbers is nothing to it, nor is their direction
    short = output * torch.tensor([0.1, 1.0]).view(1, 1, 2, 1)
    assert mean_loss(LossNormals("width"), short, target) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(BenchError, match="axis"):
        LossNormals("height")  # type: ignore[arg-type]


def test_a_row_of_a_component_is_what_the_release_compares() -> None:
    draw = torch.Generator().manual_seed(1)
    output, target = (torch.randn(2, 3, 4, 5, generator=draw) for _ in range(2))
    cosine = torch.nn.functional.cosine_similarity(output, target, dim=-1)
    assert mean_loss(LossNormals("width"), output, target) == pytest.approx(float((1 - cosine).mean()), abs=1e-5)


def test_pixels_without_a_normal_have_no_loss_and_no_gradient() -> None:
    draw = torch.Generator().manual_seed(2)
    target = torch.randn(1, 3, 2, 3, generator=draw)
    target[:, :, 0] = NAN
    for task, count in ((LossNormals(), 3), (LossNormals("width"), 3)):
        output = torch.randn(1, 3, 2, 3, generator=draw).requires_grad_()
        total, counted = task.loss(output, target)
        total.backward()
        assert counted == count
        assert output.grad is not None
        assert output.grad.isfinite().all()
        assert (output.grad[:, :, 0] == 0).all()


def test_rmse_after_the_odd_rescaling() -> None:
    depths = torch.tensor([0.0, 0.1, 1.0, 4.0, 128.0], dtype=torch.float64)
    by_hand = [80 * ((math.log(512 * x) / 11.09 - 0.64) / 0.18 + 1) / 2 for x in (1.0, 4.0)]
    assert by_hand == pytest.approx([22.7818, 50.5604], abs=1e-3)
    np.testing.assert_allclose(rescaled(depths), [1, 1, *by_hand, 80])
    task = LossDepth(encoding=StoredLog(65535, 512), aggregation="batch_mean")
    units = StoredLog(65535, 512)
    near, far = torch.full((1, 1, 2, 2), 1.0), torch.full((2, 1, 2, 2), 4.0)
    found = measured(task, (units.encode(far[:1]), near), (units.encode(far), far))
    assert found["rescaled_rmse"] == pytest.approx((by_hand[1] - by_hand[0]) / 2, abs=1e-3)  # 0 in the second batch
    assert found["mae"] == pytest.approx(1.5, abs=1e-3)
    assert found["loss"] == pytest.approx((math.log(2049) - math.log(513)) / math.log(65536) / 2, abs=1e-6)


def test_depth_without_surface_is_the_top_of_the_logarithm() -> None:
    units = StoredLog(top=65535, steps=512)
    assert units.encode(torch.tensor([0.0, 65535 / 512])).tolist() == pytest.approx([0, 1])
    depths = torch.tensor([0.25, 1.0, 17.0])
    torch.testing.assert_close(units.decode(units.encode(depths)), depths)
    with pytest.raises(BenchError, match="steps"):
        StoredLog(1, 0)


def test_occlusion_edges_are_blurred_as_by_scipy() -> None:
    draw = np.random.RandomState(0)
    maps = draw.rand(2, 1, 40, 24).astype(np.float32)
    top = 0.00625 * 65536 / 65535
    scaled = np.stack([gaussian_filter(one[0] / top * 2 - 1, sigma=4) for one in maps])[:, None]  # as released
    found = BlurredAffine(4, shift=top / 2, scale=top / 2).encode(torch.from_numpy(maps))
    np.testing.assert_allclose(found, scaled, atol=2e-4)
    assert found.max() > 100  # no clip
    holed = torch.from_numpy(maps).clone()
    holed[0, 0, 3, 5] = NAN
    filled = torch.where(holed.isnan(), 0.0, holed)
    units = BlurredAffine(4)
    assert units.encode(holed)[0, 0, 3, 5].isnan()
    torch.testing.assert_close(units.encode(holed)[1], units.encode(filled)[1])
    assert units.encode(holed).isnan().sum() == 1
    with pytest.raises(BenchError, match="sigma"):
        BlurredAffine(0)


def test_segmentation_reports_its_cross_entropy() -> None:
    logits = torch.zeros(1, 4, 1, 3)
    target = torch.tensor([[[1, -1, 3]]])
    logits[0, 1, 0, 0] = math.log(3)  # probability 3/6 and 1/4
    found = measured(LossSegmentation(4), (logits, target))
    assert found["loss"] == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert found["pixel_accuracy"] == 50.0  # all classes tie at the third pixel: the first one is said
    assert measured(LossSegmentation(4, normalise="all", loss_scale=7), (logits, target))["loss"] == pytest.approx(
        (math.log(2) + math.log(4)) / 3
    )


def test_under_shifts_a_label_at_the_border_alone_is_none() -> None:
    target = torch.full((2, 1, 4, 5), torch.nan)
    target[0, 0, 0, 0] = target[1, 0, 2, 2] = 1.0
    assert LossRegression().labelled(target).tolist() == [True, True]
    assert LossRegression(shifts=True).labelled(target).tolist() == [False, True]
    assert int(LossRegression(shifts=True).loss(torch.zeros(2, 1, 4, 5), target)[1]) == 1
