"""What every dense task promises."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.records.identity import identity_hash
from mtl_bench.tasks import Classification, DenseRegression, Depth, Normals, Regression, Segmentation
from mtl_bench.tasks.base import Task
from mtl_bench.training.build import build_tasks
from tests.step.test_host_syncs import Waits
from tests.tasks.maps import CASES, SIZE, Case, classes, numbers, outputs

BEGIN, END = slice(0, 3), slice(6, 8)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def evaluated(task: Task, output: Tensor, target: Tensor, sizes: list[int]) -> dict[str, float]:
    parts = zip(output.split(sizes), target.split(sizes), strict=True)
    return task.values(sum(task.measure(*part) for part in parts).tolist())


@every_case
@pytest.mark.parametrize("normalise", ["valid", "all"])
def test_losses_of_parts_add_up(case: Case, normalise: str) -> None:
    task = case.build(normalise=normalise)
    output, target = outputs(task.outputs), case.target()
    whole = task.loss(output, target)
    parts = [task.loss(*part) for part in zip(output.split([5, 3]), target.split([5, 3]), strict=True)]
    assert whole[1] == sum(count for _, count in parts)
    if case.additive:
        assert whole[0].item() == pytest.approx(sum(total.item() for total, _ in parts), rel=1e-5)


@every_case
def test_normalise_all_counts_every_pixel(case: Case) -> None:
    output, target = outputs(case.build().outputs), case.target()
    valid, everything = (case.build(normalise=rule).loss(output, target) for rule in ("valid", "all"))
    assert valid[0] == everything[0]
    assert 0 < valid[1] < everything[1]
    assert everything[1] % (len(output) * SIZE[0] * SIZE[1]) == 0


@every_case
@pytest.mark.parametrize("start", ["drawn", "zero", "nan where missing"])
def test_gradients_are_finite_and_stop_at_missing_pixels(case: Case, start: str) -> None:
    task, target = case.build(), case.target()
    output = outputs(task.outputs) if start != "zero" else torch.zeros(8, task.outputs, *SIZE)
    missing = (target == case.missing) | (target != target)
    missing = missing if target.ndim == 3 else missing.any(dim=1)
    if start == "nan where missing" and not isinstance(task, Segmentation):
        output = output.masked_fill(missing.unsqueeze(1), torch.nan)
    total, _ = task.loss(output.requires_grad_(), target)
    total.backward()
    assert total.isfinite()
    assert output.grad is not None
    assert output.grad.isfinite().all()
    assert not output.grad.movedim(1, -1)[missing].any()
    assert output.grad.movedim(1, -1)[~missing].any(dim=-1).float().mean() > 0.75


@every_case
@pytest.mark.parametrize("aggregation", ["pooled", "batch_mean"])
def test_an_empty_mask_is_zero_without_nan(case: Case, aggregation: str) -> None:
    task = case.build(aggregation=aggregation)
    output, nothing = outputs(task.outputs).requires_grad_(), case.nothing()
    total, count = task.loss(output, nothing)
    (total / count.clamp(min=1)).backward()
    assert (total.item(), count.item()) == (0.0, 0)
    assert output.grad is not None
    assert not output.grad.any()
    measured = task.measure(output, nothing)
    assert not measured.any()
    with pytest.raises(BenchError, match=f"no valid pixel of a {type(task).__name__} task"):
        task.values(measured.tolist())


@every_case
@pytest.mark.parametrize("aggregation", ["pooled", "batch_mean"])
def test_totals_are_float64_of_the_promised_length(case: Case, aggregation: str) -> None:
    task = case.build(aggregation=aggregation)
    measured = task.measure(outputs(task.outputs), case.target())
    assert measured.dtype == torch.float64
    assert measured.shape == (task.totals,)
    assert set(task.values(measured.tolist())) == {metric.name for metric in task.metrics}


@every_case
def test_pooled_metrics_do_not_depend_on_the_batches(case: Case) -> None:
    task = case.build()
    output, target = outputs(task.outputs), case.target()
    assert evaluated(task, output, target, [8]) == pytest.approx(evaluated(task, output, target, [3, 3, 2]), rel=1e-12)


@every_case
def test_batch_mean_averages_the_metrics_of_batches_that_have_a_pixel(case: Case) -> None:
    task, single = case.build(aggregation="batch_mean"), case.build()
    output, target = outputs(task.outputs), case.target()
    target[3:6] = case.missing
    found = evaluated(task, output, target, [3, 3, 2])
    first, last = (evaluated(single, output[part], target[part], [len(output[part])]) for part in (BEGIN, END))
    assert found == pytest.approx({name: (first[name] + last[name]) / 2 for name in first}, rel=1e-12)
    assert found != pytest.approx(evaluated(single, output, target, [8]), rel=1e-6)


@every_case
@pytest.mark.parametrize("aggregation", ["pooled", "batch_mean"])
def test_nothing_waits_for_the_device(case: Case, aggregation: str) -> None:
    task, target = case.build(aggregation=aggregation), case.target()
    output = outputs(task.outputs)
    task.loss(output, target), task.measure(output, target)  # constants per channel are copied once
    with Waits():
        task.loss(output, target)
        task.measure(output, target)


@every_case
def test_loss_scale_multiplies_the_loss_alone(case: Case) -> None:
    plain, scaled = case.build(), case.build(loss_scale=10.0)
    output, target = outputs(plain.outputs), case.target()
    (total, count), (ten_times, same) = plain.loss(output, target), scaled.loss(output, target)
    assert ten_times.item() == pytest.approx(10 * total.item(), rel=1e-6)
    assert count == same
    assert torch.equal(plain.measure(output, target), scaled.measure(output, target))


@pytest.mark.parametrize("task", [Classification(5, loss_scale=3.0), Regression(5, loss_scale=3.0)])
def test_loss_scale_of_tasks_per_sample(task: Task) -> None:
    output = outputs(5)[:, :, 0, 0]
    target = classes()[:, 0, 0] if isinstance(task, Classification) else numbers(5)[:, :, 0, 0]
    plain = type(task)(5)
    assert task.loss(output, target)[0].item() == pytest.approx(3 * plain.loss(output, target)[0].item(), rel=1e-6)
    assert torch.equal(task.measure(output, target), plain.measure(output, target))


def test_an_option_at_its_default_renames_no_run() -> None:
    node = {"_target_": "mtl_bench.tasks.Classification", "classes": 10}
    assert identity_hash(node) == identity_hash({**node, "loss_scale": 1})
    assert identity_hash(node) != identity_hash({**node, "loss_scale": 10})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"aggregation": "mean"}, "aggregation is `pooled` or `batch_mean`, got 'mean'"),
        ({"normalise": "batch"}, "normalise is `valid` or `all`"),
        ({"loss_scale": 0}, "loss_scale must be above 0"),
        ({"loss_scale": float("nan")}, "loss_scale must be above 0"),
    ],
)
@every_case
def test_wrong_options(case: Case, arguments: dict, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        case.build(**arguments)


@pytest.mark.parametrize("task", [Depth(), Normals(), DenseRegression(3)], ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("shape", [(8, 2, *SIZE), (8, 4, 1, 1), (8, *SIZE)])
def test_shapes_that_would_broadcast_are_refused(task: Task, shape: tuple[int, ...]) -> None:
    for use in (task.loss, task.measure):
        with pytest.raises(BenchError, match="but its target is"):
            use(outputs(task.outputs), torch.rand(shape))


@pytest.mark.parametrize(("name", "count"), [("rooms", 3), ("rooms11", 11)])
def test_tasks_of_rooms_can_be_built(name: str, count: int) -> None:
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        nodes = OmegaConf.to_container(compose("train", overrides=[f"tasks={name}"]).tasks, resolve=True)
    tasks = build_tasks(nodes, nodes)
    assert len(tasks) == count
    for task in tasks.values():
        shape = (2, *SIZE) if isinstance(task, Segmentation) else (2, task.outputs, *SIZE)
        target = torch.ones(shape, dtype=torch.long if isinstance(task, Segmentation) else torch.float)
        assert task.loss(outputs(task.outputs, 2), target)[0].isfinite()
