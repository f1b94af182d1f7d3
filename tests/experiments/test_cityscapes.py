"""The Cityscapes experiments on miniatures of the official files and of both copies."""

from pathlib import Path

import pytest

from mtl_bench.data.benchmarks import cityscapes_npy
from tests.data.cityscapes_files import write_cityscapes, write_mtan_cityscapes
from tests.experiments.miniature import train_two_steps

SMALL = {
    "cityscapes_mtan": ["model.width=4"],
    "cityscapes_mtan_val": ["model.width=4", "dataset.val=2"],
    "cityscapes_segnet": ["model.width=4", "method=cso"],
    "cityscapes_segnet_val": ["model.width=4", "dataset.val=2"],
}
COPY = ["model.width=4", "dataset.limit=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_cityscapes(folder / "raw" / "cityscapes")
    return folder


@pytest.mark.parametrize("experiment", SMALL)
def test_experiment(experiment: str, data: Path) -> None:
    record = train_two_steps(experiment, data, "dataset.limit=2", *SMALL[experiment])
    assert list(record["test"]) == ["segmentation", "depth"]


def test_single_task_is_segnet(data: Path) -> None:
    record = train_two_steps(
        "cityscapes_mtan",
        data,
        "only=[depth]",
        "dataset.limit=2",
        "model.width=4",
        "protocol.reporting.single_model.width=4",
    )
    assert record["config"]["protocol"]["reporting"]["single_model"]["_target_"] == "mtl_bench.models.SegNet"


def test_mtans_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cityscapes_npy, "COUNTS", {"train": 2, "test": 2})
    write_mtan_cityscapes(tmp_path / "raw" / "cityscapes_npy", {"train": 2, "val": 2})
    for experiment in ("cityscapes_mtan", "cityscapes_segnet"):
        record = train_two_steps(experiment, tmp_path, "dataset=cityscapes_npy", *COPY)
        assert record["variant"].startswith("MTAN's preprocessed copy of Cityscapes")


def test_parquet_files(tmp_path: Path) -> None:
    from tests.data.hub_files import write_copy  # late: the others need no pyarrow

    write_copy(tmp_path / "raw" / "cityscapes_parquet", "cityscapes", {"train": 2, "validation": 2})
    for experiment in ("cityscapes_mtan", "cityscapes_segnet"):
        record = train_two_steps(experiment, tmp_path, "dataset=cityscapes_parquet", *COPY)
        assert record["variant"].startswith("tanganke's copy of MTAN's Cityscapes")
