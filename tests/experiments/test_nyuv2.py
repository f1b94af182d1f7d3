"""The NYUv2 experiments on miniatures of the official files and of MTAN's folder."""

from pathlib import Path

import pytest

from mtl_bench.data.benchmarks import nyuv2_npy
from tests.data.nyuv2_files import drawn_frames, write_mtan, write_nyuv2
from tests.experiments.miniature import train_two_steps
from tests.runs import PAPER_MODELS

SMALL = {
    "nyuv2_mtan": ["model.width=4"],
    "nyuv2_mtan_val": ["model.width=4", "dataset.val=2"],
    "nyuv2_deeplab": ["model.pretrained=false", *PAPER_MODELS["deeplabv3plus"][:2]],
    "nyuv2_deeplab_val": ["model.pretrained=false", *PAPER_MODELS["deeplabv3plus"][:2], "dataset.val=2"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_nyuv2(folder / "raw" / "nyuv2", drawn_frames(6), train=[2, 3, 5, 6], test=[1, 4])
    return folder


@pytest.mark.parametrize("experiment", SMALL)
def test_experiment(experiment: str, data: Path) -> None:
    record = train_two_steps(experiment, data, *SMALL[experiment])
    assert list(record["test"]) == ["segmentation", "depth", "normal"]


def test_single_task_is_segnet(data: Path) -> None:
    record = train_two_steps(
        "nyuv2_mtan", data, "only=[depth]", "model.width=4", "protocol.reporting.single_model.width=4"
    )
    assert record["config"]["protocol"]["reporting"]["single_model"]["_target_"] == "mtl_bench.models.SegNet"


def test_mtans_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nyuv2_npy, "COUNTS", {"train": 3, "test": 2})
    write_mtan(tmp_path / "raw" / "nyuv2_npy", {"train": 3, "val": 2})
    record = train_two_steps("nyuv2_mtan", tmp_path, "dataset=nyuv2_npy", "model.width=4")
    assert record["variant"] == "MTAN's preprocessed copy of NYUv2"
