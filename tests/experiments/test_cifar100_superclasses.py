"""CIFAR-100's twenty tasks on a miniature of the official files."""

from pathlib import Path

import pytest

from mtl_bench.data.cifar100_superclasses import NAMES
from tests.data.cifar_files import write_cifar
from tests.experiments.miniature import train_two_steps


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_cifar(folder / "raw" / "cifar100_superclasses", {"train": 500, "test": 100})
    return folder


@pytest.mark.parametrize(("experiment", "val"), [("cifar100_superclasses", 0), ("cifar100_superclasses_val", 200)])
def test_experiment(experiment: str, val: int, data: Path) -> None:
    record = train_two_steps(
        experiment, data, "model.stem=imagenet", *([f"dataset.val={val}"] if val else []), "method=pcgrad"
    )
    assert tuple(record["test"]) == NAMES
    assert bool(record["val"]) == bool(val)
