"""A checkpoint of another environment: refused in one sentence, or taken up and said so in the record."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.records.record import load_record
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.environment import processor
from mtl_bench.training.interrupts import Interrupted
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import Plan
from mtl_bench.training.trainer import Options
from tests.runs import PER_EPOCH, Compose, StopAt, read_checkpoint, train

STOP = 5


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def plan(compose: Compose) -> Plan:
    return compose("method=graddrop")


@pytest.fixture
def stopped(plan: Plan, tmp_path: Path) -> Path:
    """The runs folder of a cell that was stopped in the middle of its first epoch."""
    with pytest.raises(Interrupted):
        run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False, log_every=1), StopAt(STOP))
    return tmp_path


@pytest.fixture
def elsewhere(plan: Plan, stopped: Path) -> Callable[..., None]:
    """Makes the checkpoint one that was written in another environment."""

    def rewrite(changes: dict[str, Any], **environment: Any) -> None:
        path = plan.folder(stopped).checkpoint
        state = torch.load(path, weights_only=True)
        state["environment"] |= environment
        torch.save(state | changes, path)

    return rewrite


@pytest.mark.parametrize(
    ("place", "named"), [({"threads": 2}, "threads"), ({"threads": 2, "deterministic": True}, "deterministic, threads")]
)
def test_another_place_is_refused(plan: Plan, stopped: Path, place: dict[str, Any], named: str) -> None:
    folder = plan.folder(stopped)
    before = (folder.checkpoint.read_bytes(), folder.history.exists())
    with pytest.raises(BenchError) as refusal:
        run_cell(plan, Place(stopped, device="cpu", **place), Options(progress=False), NoLogger())
    sentence = str(refusal.value)
    assert f"({named} differ)" in sentence
    assert "resume=any" in sentence
    assert str(folder.checkpoint) in sentence
    assert sentence.count(". ") == 0
    assert sentence.endswith(".")
    assert (folder.checkpoint.read_bytes(), folder.history.exists()) == before
    assert not folder.record.exists()


def test_other_versions_are_refused(plan: Plan, stopped: Path, elsewhere: Callable[..., None]) -> None:
    elsewhere({}, versions={"torch": "1.0"})
    with pytest.raises(BenchError, match=r"\(versions differ\)"):
        run_cell(plan, Place(stopped, device="cpu"), Options(progress=False), NoLogger())


def test_resume_any_goes_on_and_the_record_says_so(plan: Plan, stopped: Path, elsewhere: Callable[..., None]) -> None:
    elsewhere({}, threads=2)
    left = train(plan, stopped, place={"resume": "any"})
    assert left.record["resumed_elsewhere"]
    assert left.record["environment"]["threads"] == 1
    assert left.record["counts"]["batches"] == 2 * PER_EPOCH
    assert [row["batch"] for row in left.rows] == [PER_EPOCH, 2 * PER_EPOCH]


def test_later_stops_do_not_forget_it(
    plan: Plan, stopped: Path, tmp_path: Path, elsewhere: Callable[..., None]
) -> None:
    elsewhere({}, threads=2)
    with pytest.raises(Interrupted):
        run_cell(plan, Place(stopped, device="cpu", resume="any"), Options(progress=False, log_every=1), StopAt(9))
    assert train(plan, stopped).record["resumed_elsewhere"]  # in one environment since then


def test_the_record_names_the_processor(plan: Plan, tmp_path: Path) -> None:
    """Family and model as Linux tells them, and the instructions: the last bits of a run depend on them."""
    train(plan, tmp_path)
    record = load_record(plan.folder(tmp_path).record)
    assert record["environment"]["device_name"] == processor()
    assert record["measured"]["host"] == f"{processor()}, {os.cpu_count()} cores"
    assert processor().endswith(f", {torch.backends.cpu.get_cpu_capability()}")


def test_exact_resume_is_not_marked(plan: Plan, stopped: Path) -> None:
    assert not train(plan, stopped).record["resumed_elsewhere"]


def test_from_a_gpu_to_the_cpu(plan: Plan, stopped: Path, elsewhere: Callable[..., None]) -> None:
    """The random states of two kinds of device differ in form: the device's start anew, the host's goes on."""
    of_a_gpu = torch.zeros(16, dtype=torch.uint8)
    before = read_checkpoint(plan, stopped)
    elsewhere({"dropout": of_a_gpu, "device_generator": of_a_gpu}, device="cuda", device_name="a GPU")
    left = train(plan, stopped, place={"resume": "any"})
    assert left.record["resumed_elsewhere"]
    assert left.record["counts"]["batches"] == 2 * PER_EPOCH
    assert torch.equal(left.checkpoint["generator"], before["generator"])  # graddrop draws on the device only


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of it", "truncated", {"format": 99}, {"no": "environment"}])
def test_a_damaged_checkpoint_is_one_sentence(plan: Plan, stopped: Path, content: Any) -> None:
    path = plan.folder(stopped).checkpoint
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(torch.load(path, weights_only=True) | content if "format" in content else content, path)
    with pytest.raises(BenchError, match=r"checkpoint.pt is damaged \(.*\); delete it to start this cell again\."):
        run_cell(plan, Place(stopped, device="cpu"), Options(progress=False), NoLogger())


def test_a_history_shorter_than_its_checkpoint_is_one_sentence(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False, log_every=1), StopAt(PER_EPOCH))
    plan.folder(tmp_path).history.write_text("")
    with pytest.raises(BenchError, match=r"delete .* to start this run again"):
        run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False), NoLogger())


def reported(compose: Compose, *overrides: str) -> Plan:
    return compose("method=graddrop", *(f"protocol.reporting.{override}" for override in overrides))


@pytest.mark.parametrize(
    ("former", "now", "named"),
    [
        (["selection._target_=mtl_bench.training.selection.BestVal"], [], r"\(selection 'best_val\(accuracy\)', eval"),
        ([], ["selection._target_=mtl_bench.training.selection.MeanLastK"], r"\(selection 'last'\)"),
        (
            ["selection._target_=mtl_bench.training.selection.MeanLastK"],
            ["selection._target_=mtl_bench.training.selection.MeanLastK", "evaluate_every=2"],
            r"\(selection 'mean_last_10', evaluate_every 1, ",
        ),
    ],
)
def test_another_reporting_part_is_refused(
    former: list[str], now: list[str], named: str, compose: Compose, tmp_path: Path
) -> None:
    """What the former rule has tested and kept is not what the other one reports."""
    begun = reported(compose, *former)
    with pytest.raises(Interrupted):
        run_cell(begun, Place(tmp_path, device="cpu"), Options(progress=False, log_every=1), StopAt(PER_EPOCH + 1))
    folder = begun.folder(tmp_path)
    before = [path.read_bytes() for path in (folder.checkpoint, folder.history, folder.config)]
    with pytest.raises(
        BenchError, match=rf"checkpoint\.pt was begun under another reporting part .*{named}"
    ) as refusal:
        run_cell(
            reported(compose, *now), Place(tmp_path, device="cpu", resume="any"), Options(progress=False), NoLogger()
        )
    assert str(refusal.value).count(". ") == 0
    assert [path.read_bytes() for path in (folder.checkpoint, folder.history, folder.config)] == before
    train(begun, tmp_path)


def test_looking_more_often_at_the_last_weights_is_no_other_reading(compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run_cell(
            reported(compose, "evaluate_every=2"),
            Place(tmp_path, device="cpu"),
            Options(progress=False, log_every=1),
            StopAt(STOP),
        )
    assert len(train(reported(compose), tmp_path).record["evaluations"]) == 2


def test_a_checkpoint_of_an_earlier_version_is_taken_as_it_is(plan: Plan, stopped: Path) -> None:
    path = plan.folder(stopped).checkpoint
    state = torch.load(path, weights_only=True)
    del state["readings"]
    torch.save(state, path)
    assert not train(plan, stopped).record["resumed_elsewhere"]
