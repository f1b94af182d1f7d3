"""The guard, the TensorBoard files read back, and what users see when a logger cannot work."""

import io
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mtl_bench.errors import BenchError
from mtl_bench.records.reading import readings_of
from mtl_bench.training.loggers import Guarded, Logger, NoLogger, RunInfo, TensorBoardLogger, WandbLogger
from mtl_bench.training.loggers.wandb import within

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "logger").glob("*.yaml"))


class Fragile(Logger):
    """Counts its calls and raises `error` in the one that is called `where`."""

    def __init__(self, where: str, error: Exception) -> None:
        self.where, self.error, self.calls = where, error, list[str]()

    def start(self, info: RunInfo) -> None:
        self.called("start")

    def log(self, values: Mapping[str, float], batch: int) -> None:
        self.called("log")

    def finish(self, summary: Mapping[str, float]) -> None:
        self.called("finish")

    def called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.where:
            raise self.error


@pytest.fixture
def info(tmp_path: Path) -> RunInfo:
    return RunInfo("digits/pcgrad/seed-0", "f" * 64, "f" * 12 + "-0", tmp_path, {"method": {"name": "pcgrad"}})


def test_two_readings_of_a_run_are_two_logged_runs(tmp_path: Path) -> None:
    """And the last weights are one run however often one looks, under the id that it always had."""

    def logged(selection: str, every: int = 1, batch: int = 8, **tasks: Any) -> str:
        reporting = {"evaluate_every": every, "evaluation_batch_size": batch}
        config = {"protocol": {"reporting": reporting}, "tasks": tasks}
        readings = readings_of(selection, config, ["left", "right"])
        return RunInfo.of("digits", "ls", "f" * 64, 0, tmp_path, {}, readings).id

    assert logged("last") == logged("last", 3) == logged("last", batch=4) == "f" * 12 + "-0"
    others = {logged("mean_last_10"), logged("mean_last_9"), logged("mean_last_10", 3)}
    others |= {logged("last", batch=batch, right={"aggregation": "batch_mean"}) for batch in (4, 8)}
    assert len(others) == 5
    assert all(re.fullmatch("f{12}-0-[0-9a-f]{6}", one) for one in others)


def run(logger: Logger, info: RunInfo) -> None:
    logger.start(info)
    logger.log({"train/left/loss": 1.0}, 10)
    logger.log({"train/left/loss": 0.5}, 20)
    logger.finish({"test/left/accuracy": 0.75})


@pytest.mark.parametrize(
    ("where", "calls"),
    [
        ("start", ["start"]),
        ("log", ["start", "log"]),
        ("finish", ["start", "log", "log", "finish"]),
        ("", ["start", "log", "log", "finish"]),
    ],
)
def test_a_failing_logger_is_reported_once_and_off_afterwards(
    where: str, calls: list[str], info: RunInfo, caplog: pytest.LogCaptureFixture
) -> None:
    fragile = Fragile(where, OSError("no\nroute"))
    run(Guarded(fragile), info)
    assert fragile.calls == calls
    assert caplog.messages == (["Fragile is off for the rest of this run (OSError: no route)"] if where else [])


def test_a_missing_package_stops_the_run_before_it_starts(info: RunInfo) -> None:
    with pytest.raises(BenchError, match="pip install"):
        Guarded(Fragile("start", BenchError("pip install it"))).start(info)


def test_not_even_a_bench_error_stops_a_run_that_trains(info: RunInfo, caplog: pytest.LogCaptureFixture) -> None:
    run(Guarded(Fragile("log", BenchError("late"))), info)
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize(
    ("logger", "module", "package"),
    [(WandbLogger(), "wandb", "wandb"), (TensorBoardLogger(), "torch.utils.tensorboard", "tensorboard")],
)
def test_the_error_names_the_package_to_install(
    logger: Logger, module: str, package: str, info: RunInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # the logger sets it otherwise, for every later test too
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BenchError, match=f"pip install {package}"):
        logger.start(info)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(BenchError, match="offline, online, disabled"):
        WandbLogger(mode="onlin")  # type: ignore[arg-type]


def test_a_disabled_run_leaves_nothing(info: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    run(WandbLogger(mode="disabled"), info)
    assert list(info.folder.iterdir()) == []


ELSEWHERE = """
from pathlib import Path
from mtl_bench.training.loggers import RunInfo, WandbLogger

logger = WandbLogger()
logger.start(RunInfo("name", "group", "id", Path("run"), {}))
logger.finish({})
"""


def test_a_service_of_a_process_in_another_folder_writes_to_ours(
    info: RunInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """wandb hands its service on through the environment."""
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    run(WandbLogger(mode="disabled"), info)
    assert "WANDB_SERVICE" in os.environ
    (tmp_path / "run").mkdir()
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=tmp_path, env={**os.environ, **root}, check=True)
    assert len(list((tmp_path / "run").rglob("*.wandb"))) == 1


def test_nothing_is_written_without_a_logger(info: RunInfo) -> None:
    run(NoLogger(), info)
    assert list(info.folder.iterdir()) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_logger(path: Path) -> None:
    assert isinstance(instantiate(OmegaConf.load(path)), Logger)
    assert f"mtl-bench train logger={path.stem}" in path.read_text().splitlines()[0]


def points(folder: Path, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return [(event.step, event.value) for event in EventAccumulator(str(folder)).Reload().Scalars(name)]


def test_tensorboard_files_can_be_read_back(info: RunInfo) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(TensorBoardLogger(), info)
    folder = info.folder / "tensorboard"
    assert points(folder, "train/left/loss") == [(10, 1.0), (20, 0.5)]
    assert points(folder, "test/left/accuracy") == [(20, 0.75)]
    (text,) = EventAccumulator(str(folder)).Reload().Tensors("config/text_summary")
    assert b'"name": "pcgrad"' in text.tensor_proto.string_val[0]


def test_a_resumed_run_draws_no_point_twice(info: RunInfo) -> None:
    run(TensorBoardLogger(), info)
    time.sleep(1.1)  # readers order event files by their name, which counts in whole seconds
    resumed = TensorBoardLogger()
    resumed.start(info)
    resumed.resumed(10)
    resumed.log({"train/left/loss": 0.25}, 20)
    resumed.finish({})
    assert points(info.folder / "tensorboard", "train/left/loss") == [(10, 1.0), (20, 0.25)]


@pytest.mark.parametrize("pictures", [False, True])
def test_a_run_that_only_ends_after_it_was_resumed_keeps_its_points(info: RunInfo, pictures: bool) -> None:
    run(TensorBoardLogger(), info)
    time.sleep(1.1)
    resumed = TensorBoardLogger()
    resumed.start(info)
    resumed.resumed(20)
    if pictures:
        resumed.images(draw, "input", 20)
    resumed.finish({"test/left/accuracy": 0.75})
    assert points(info.folder / "tensorboard", "train/left/loss") == [(10, 1.0), (20, 0.5)]
    assert points(info.folder / "tensorboard", "test/left/accuracy")[-1] == (20, 0.75)


def draw() -> dict[str, np.ndarray]:
    return {f"predictions/{n}": np.full((2, 3, 3), 50 + n, np.uint8) for n in range(2)}


def refuse_to_draw() -> dict[str, np.ndarray]:
    raise RuntimeError("no colour left")


def test_tensorboard_shows_every_picture(info: RunInfo) -> None:
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger()
    logger.start(info)
    logger.log({"train/left/loss": 1.0}, 10)
    logger.images(draw, "input | far: target, prediction", 20)
    logger.finish({})
    events = EventAccumulator(str(info.folder / "tensorboard")).Reload()
    for n in range(2):
        (image,) = events.Images(f"predictions/{n}")
        assert image.step == 20
        pixels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
        np.testing.assert_array_equal(pixels, np.full((2, 3, 3), 50 + n))
    (text,) = events.Tensors("predictions/text_summary")
    assert text.tensor_proto.string_val[0] == b"input | far: target, prediction"


def test_pictures_are_drawn_only_for_those_who_show_them(info: RunInfo) -> None:
    NoLogger().images(refuse_to_draw, "", 10)
    Fragile("", OSError()).images(refuse_to_draw, "", 10)


def test_pictures_that_cannot_be_drawn_stop_no_run(info: RunInfo, caplog: pytest.LogCaptureFixture) -> None:
    logger = Guarded(TensorBoardLogger())
    logger.start(info)
    logger.images(refuse_to_draw, "", 10)
    assert caplog.messages == ["TensorBoardLogger is off for the rest of this run (RuntimeError: no colour left)"]
    logger.finish({})


def test_within_hands_over_result_error_and_deadline() -> None:
    assert within(5.0, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)
    before = time.perf_counter()
    with pytest.raises(TimeoutError):
        within(0.05, lambda: time.sleep(1.0))
    assert time.perf_counter() - before < 0.9
