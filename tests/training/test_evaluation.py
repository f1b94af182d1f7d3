"""Metrics of a split are those of one sample after the other, and measuring them leaves no trace."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mtl_bench.data.packed import Field, Packed, write_packed
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.training.evaluation import evaluate
from mtl_bench.training.model_forward import ModelForward
from tests.step.toys import MODELS, SIDE, TASKS, OneTensor, make_batch, make_machine, make_step

SIZE = 23
FIELDS = {
    "image": Field("uint8", (1, SIDE, SIDE), "uint8/255"),
    "shape": Field("int8", (), "class"),
    "pose": Field("float32", (2,), "float"),
    "colour": Field("int8", (), "class"),
}


def arrays() -> dict[str, np.ndarray]:
    """Every task lacks some labels."""
    draw = np.random.RandomState(0)
    pose = draw.randn(SIZE, 2).astype(np.float32)
    pose[draw.random_sample(pose.shape) < 0.3] = np.nan
    shape, colour = draw.randint(-1, 3, SIZE), draw.randint(-1, 4, SIZE)
    image = draw.randint(0, 256, (SIZE, 1, SIDE, SIDE)).astype(np.uint8)
    return {"image": image, "shape": shape.astype(np.int8), "pose": pose, "colour": colour.astype(np.int8)}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    folder = tmp_path_factory.mktemp("packed") / "toy"
    write_packed(folder, "toy", {"test": arrays()}, FIELDS, "drawn", {})
    return Split(Packed.open(folder), ["test"], list(TASKS), "cpu")


def trained(model: type[MultiTaskModel]) -> MultiTaskModel:
    """In training mode, with running statistics of two batches that are not those of any split."""
    machine = make_machine(model)
    for seed in range(2):
        step = make_step(machine, make_batch(seed))
        step.backward(step.losses(), torch.ones(3))
        step.apply()
    return machine.model


def one_by_one(model: MultiTaskModel, split: Split) -> dict[str, dict[str, float]]:
    """A sample at a time, in NumPy."""
    model.eval()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in TASKS}
    for i in range(split.size):
        sample = split.batch(torch.tensor([i]))
        for k, name in enumerate(TASKS):
            features = model.encode(sample.image.double(), k if model.per_task_path else None)
            output = model.decode(features, k)[0].detach().numpy()
            measured = (_regression if name == "pose" else _classification)(output, sample.targets[name][0].numpy())
            for metric, values in measured.items():
                found[name].setdefault(metric, []).extend(values)
    model.train()
    return {name: {metric: float(np.mean(values)) for metric, values in parts.items()} for name, parts in found.items()}


def _classification(output: np.ndarray, label: np.ndarray) -> dict[str, list[float]]:
    if label < 0:
        return {"accuracy": [], "cross_entropy": []}
    cost = np.log(np.exp(output).sum()) - output[label]
    return {"accuracy": [100.0 * (output.argmax() == label)], "cross_entropy": [cost]}


def _regression(output: np.ndarray, target: np.ndarray) -> dict[str, list[float]]:
    residual = (output - target)[~np.isnan(target)]
    return {"mae": np.abs(residual).tolist(), "mse": (residual**2).tolist()}


@pytest.mark.parametrize("batch_size", [1, 7, 1000])  # with a last batch of another size, and whole
@pytest.mark.parametrize("model", MODELS)
def test_metrics_are_those_of_a_pass_by_hand(model: type[MultiTaskModel], batch_size: int, split: Split) -> None:
    built = trained(model)
    found = evaluate(ModelForward(built, TASKS), split, batch_size)
    expected = one_by_one(built, split)
    assert list(found) == list(TASKS)
    for name, metrics in expected.items():
        assert found[name] == pytest.approx(metrics, rel=1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_it_leaves_no_trace(model: type[MultiTaskModel], training: bool, split: Split) -> None:
    built = trained(model).train(training)
    before = {name: value.clone() for name, value in built.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    first = evaluate(ModelForward(built, TASKS), split, 5)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == states[1:]  # type: ignore[index]
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())
    assert all(module.training == training for module in built.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in built.parameters())
    assert torch.is_grad_enabled()
    assert evaluate(ModelForward(built, TASKS), split, 5) == first


class HostReads(TorchDispatchMode):
    """Refuses operations that read one number off the device."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert function.overloadpacket.__name__ not in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal")
        return function(*args, **(kwargs or {}))


def test_one_copy_to_the_host_however_many_batches(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    model, reads = trained(OneTensor), []

    def watched(name: str) -> Callable[..., Any]:
        original = getattr(Tensor, name)

        def read(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
            reads.append((name, tuple(tensor.shape)))
            return original(tensor, *arguments, **options)

        return read

    for name in ("cpu", "tolist", "item", "numpy", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(Tensor, name, watched(name))
    with HostReads():
        evaluate(ModelForward(model, TASKS), split, 2)
    total = sum(task.totals for task in TASKS.values())
    assert [read for read in reads if read != ("numpy", (2,)) and read != ("numpy", (1,))] == [
        ("cpu", (total,)),
        ("tolist", (total,)),
    ]  # `numpy` of an index, which is on the host, looks up who is labelled


def test_a_split_without_a_label_is_an_error(tmp_path: Path) -> None:
    silent = {**arrays(), "shape": np.full(SIZE, -1, np.int8)}
    write_packed(tmp_path / "toy", "toy", {"test": silent}, FIELDS, "drawn", {})
    split = Split(Packed.open(tmp_path / "toy"), ["test"], list(TASKS), "cpu")
    with pytest.raises(BenchError, match="saw no label of a classification task"):
        evaluate(ModelForward(trained(OneTensor), TASKS), split, 5)
