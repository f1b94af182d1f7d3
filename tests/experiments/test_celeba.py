"""The CelebA experiments on a miniature of the official files."""

from pathlib import Path

import pytest

from tests.data.celeba_files import drawn_attributes, write_celeba
from tests.experiments.miniature import train_two_steps

SMALL = {"celeba40": ["model.widths=[4,4,6,6]"], "celeba9": ["model.width=4"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_celeba(folder / "raw" / "celeba", drawn_attributes(10), [0] * 6 + [1] * 2 + [2] * 2)
    return folder


@pytest.mark.parametrize(("experiment", "tasks", "metric"), [("celeba40", 40, "f1"), ("celeba9", 9, "accuracy")])
def test_experiment(experiment: str, tasks: int, metric: str, data: Path) -> None:
    record = train_two_steps(experiment, data, *SMALL[experiment])
    assert len(record["test"]) == tasks
    assert all(metric in found for found in record["test"].values())


def test_one_attribute_alone(data: Path) -> None:
    """Its name begins with a digit, which Hydra must take for a name."""
    record = train_two_steps("celeba40", data, "only=[5_o_Clock_Shadow]", *SMALL["celeba40"])
    assert list(record["test"]) == ["5_o_Clock_Shadow"]
