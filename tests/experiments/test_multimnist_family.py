"""ResNet-18 on Multi-Fashion+MNIST, on pairs of our own and on the pickle of Lin et al., both made up."""

from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.formats import idx
from tests.data.pickle_files import drawn_pairs, write_pickle
from tests.experiments.miniature import train_two_steps

PICKLE = ["dataset=multimnist_pickle"]
RESNET = "multifashion_mnist_resnet18"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("mnist", "fashion_and_mnist"):
        write_pickle(folder / f"raw/multimnist_pickle/multi_{name}.pickle", [*drawn_pairs(8, 0), *drawn_pairs(4, 1)])
    return folder


@pytest.mark.parametrize(("experiment", "val"), [(RESNET, 0), (f"{RESNET}_val", 3)])
def test_resnet18_on_the_pickle(experiment: str, val: int, data: Path) -> None:
    record = train_two_steps(
        experiment, data, *PICKLE, "dataset.which=fashion_and_mnist", *([f"dataset.val={val}"] if val else [])
    )
    assert record["variant"] == "Lin et al.'s pickle multi_fashion_and_mnist.pickle"
    assert list(record["test"]) == ["left", "right"]
    assert bool(record["val"]) == bool(val)


@pytest.mark.parametrize("experiment", [RESNET, f"{RESNET}_val"])
def test_resnet18_on_our_own_pairs(experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "SUMS", {})
    draw = np.random.RandomState(0)
    for name in ("mnist", "fashion"):
        for part, size in (("train", 12), ("test", 4)):
            images, labels = (tmp_path / "raw" / name / file for file in idx.FILES[part])
            write_idx(images, draw.randint(0, 256, (size, 28, 28)))
            write_idx(labels, draw.randint(0, 10, size))
    record = train_two_steps(experiment, tmp_path, *(["dataset.val=4"] if experiment.endswith("_val") else []))
    assert list(record["test"]) == ["left", "right"]


def test_lenet_on_the_pickle(data: Path) -> None:
    record = train_two_steps("multimnist", data, *PICKLE)
    assert record["variant"] == "Lin et al.'s pickle multi_mnist.pickle"


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = np.array([0x800 + array.ndim, *array.shape], ">u4").tobytes()
    path.write_bytes(header + array.astype(np.uint8).tobytes())
