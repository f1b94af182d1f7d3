import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records.folder import RunFolder
from mtl_bench.records.lock import RunLock, RunLocked
from mtl_bench.records.record import save_record

HOLD = """
import sys, time
from pathlib import Path
from mtl_bench.records.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, "digits", "pcgrad", "0123456789abcdef" * 4, 3)
    folder.create()
    return folder


@pytest.fixture
def holder(folder: RunFolder) -> Iterator[subprocess.Popen[str]]:
    """A second process that holds the lock of the folder."""
    command = [sys.executable, "-c", HOLD, str(folder.path / "lock")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_layout(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.path == tmp_path / "digits" / "pcgrad" / "0123456789ab" / "seed-3"
    files = [folder.config, folder.history, folder.checkpoint, folder.predictions, folder.record]
    assert [file.relative_to(folder.path).name for file in files] == [
        "config.yaml",
        "history.jsonl",
        "checkpoint.pt",
        "predictions.npz",
        "record.json",
    ]


def test_create_twice_keeps_what_is_there(folder: RunFolder) -> None:
    folder.history.write_text("{}\n")
    folder.create()
    assert folder.history.read_text() == "{}\n"


def test_create_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "digits").touch()
    with pytest.raises(BenchError, match=r"cannot be created \(Not a directory\)"):
        RunFolder(tmp_path, "digits", "pcgrad", "0" * 64, 0).create()


def test_finished_means_a_record_of_the_same_hash(folder: RunFolder, record: dict) -> None:
    assert not folder.finished()
    save_record(folder.record, record | {"hash": folder.hash})
    assert folder.finished()
    save_record(folder.record, record | {"hash": folder.hash[:12] + "f" * 52})
    assert not folder.finished()


@pytest.mark.parametrize("content", ["", '{"hash": "01', "[]", "\xff", '{"schema": 1}'])
def test_damaged_record(folder: RunFolder, content: str) -> None:
    folder.record.write_bytes(content.encode("latin-1"))
    with pytest.raises(BenchError, match=r"record\.json is damaged \(.+\); delete it and run its cell again\.$"):
        folder.finished()


def test_record_of_another_schema_is_not_called_damaged(folder: RunFolder, record: dict) -> None:
    folder.record.write_text(json.dumps(record | {"schema": 99}))
    with pytest.raises(BenchError, match="read it with the version that wrote it"):
        folder.finished()


def test_lock_of_another_process_is_respected_until_it_is_killed(
    folder: RunFolder, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(RunLocked, match="seed-3 is in use by another process"), folder.lock():
        pass
    holder.kill()  # SIGKILL: no handler runs, only the kernel cleans up
    holder.wait()
    with folder.lock():
        pass


def test_lock_is_exclusive_within_a_process_and_freed_by_errors(folder: RunFolder) -> None:
    with folder.lock(), pytest.raises(RunLocked), folder.lock():
        pass
    with pytest.raises(ValueError, match="inside"), folder.lock():
        raise ValueError("inside")
    with folder.lock():
        pass


def test_lock_in_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be opened") as caught, RunLock(tmp_path / "missing" / "lock"):
        pass
    assert not isinstance(caught.value, RunLocked)
