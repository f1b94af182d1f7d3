"""Writes in pieces: at constant memory, and continued where a killed process left them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data import stream
from mtl_bench.data.packed import MANIFEST, Manifest, Packed, Samples, write_packed
from mtl_bench.data.stream import STATE
from mtl_bench.errors import BenchError
from tests.data.conftest import FIELDS, tiny_arrays

ARRAYS = {"train": tiny_arrays(10), "val": tiny_arrays(6, 1)}
ROOT = Path(__file__).parents[2]


class Killed(Exception):
    """Stands for what ends a process."""


class Source:
    """Samples of ARRAYS that note what was read, and break off when `limit` calls were made."""

    def __init__(self, split: str, arrays: Mapping[str, np.ndarray], limit: int = 99) -> None:
        self.split, self.arrays, self.limit = split, arrays, limit
        self.read: list[tuple[int, int]] = []

    def __call__(self, rows: range) -> dict[str, np.ndarray]:
        if len(self.read) == self.limit:
            raise Killed
        self.read.append((rows.start, rows.stop))
        return {name: array[rows.start : rows.stop] for name, array in self.arrays.items()}

    @property
    def samples(self) -> Samples:
        return Samples(len(self.arrays["image"]), self)


def write(folder: Path, *sources: Source, **changed: object) -> Manifest:
    arrays = {source.split: source.samples for source in sources}
    return write_packed(folder, "tiny", arrays, FIELDS, "drawn", {"data_seed": 0, **changed})


@pytest.fixture(autouse=True)
def _two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(array[0].nbytes for array in ARRAYS["train"].values())
    monkeypatch.setattr(stream, "CHUNK", 3 * size - 1)


@pytest.mark.parametrize("together", [1, 3, 100])
def test_the_files_are_those_of_numpy_however_they_are_cut(
    tmp_path: Path, packed: Packed, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(stream, "CHUNK", together * sum(array[0].nbytes for array in ARRAYS["train"].values()))
    manifest = write(tmp_path / "new", *(Source(split, arrays) for split, arrays in ARRAYS.items()))
    assert manifest == packed.manifest
    for split, arrays in ARRAYS.items():
        for name, array in arrays.items():
            np.save(tmp_path / "numpy.npy", array)
            assert (tmp_path / "new" / f"{split}.{name}.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted([MANIFEST, *manifest.files])


def test_the_order_of_an_array_in_memory_does_not_matter(tmp_path: Path, packed: Packed) -> None:
    arrays = {split: {n: np.asfortranarray(a) for n, a in part.items()} for split, part in ARRAYS.items()}
    assert write_packed(tmp_path / "new", "tiny", arrays, FIELDS, "drawn", {}).digest == packed.digest


@pytest.mark.parametrize("limit", range(1, 8))
def test_a_started_folder_is_continued(tmp_path: Path, packed: Packed, limit: int) -> None:
    train, val = (Source(split, ARRAYS[split], limit - 5 * (split == "val")) for split in ARRAYS)
    with pytest.raises(Killed):
        write(tmp_path / "new", train, val)
    assert not (tmp_path / "new").exists()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".new.started").glob("train.*")}
    train, val = (Source(split, arrays) for split, arrays in ARRAYS.items())
    assert write(tmp_path / "new", train, val).digest == packed.digest
    again = min(limit, 5) - 1  # made a second time, and compared
    assert train.read == [(2 * n, 2 * n + 2) for n in range(again, 5)]
    if limit >= 5:
        assert before == {name: (tmp_path / "new" / name).stat().st_mtime_ns for name in before}


@pytest.mark.parametrize("field", FIELDS)
def test_what_was_half_written_is_cut_off(tmp_path: Path, packed: Packed, field: str) -> None:
    with pytest.raises(Killed):
        write(tmp_path / "new", Source("train", ARRAYS["train"], 3), Source("val", ARRAYS["val"]))
    with (tmp_path / ".new.started" / f"train.{field}.npy").open("ab") as file:
        file.write(b"half")
    (tmp_path / ".new.started" / ".started.json.0123.tmp").write_text("half")
    assert write(tmp_path / "new", *(Source(split, arrays) for split, arrays in ARRAYS.items())).digest == packed.digest
    assert Packed.open(tmp_path / "new").digest == packed.digest
    assert not list((tmp_path / "new").glob(".*"))


def shorten(started: Path) -> None:
    os.truncate(started / "train.image.npy", 300)


def remove(started: Path) -> None:
    (started / "train.depth.npy").unlink()


def garble(started: Path) -> None:
    (started / STATE).write_text('{"done": ')


def forget(started: Path) -> None:
    (started / STATE).unlink()


@pytest.mark.parametrize("damage", [shorten, remove, garble, forget])
def test_a_damaged_start_starts_over(tmp_path: Path, packed: Packed, damage: Callable[[Path], None]) -> None:
    with pytest.raises(Killed):
        write(tmp_path / "new", Source("train", ARRAYS["train"], 3), Source("val", ARRAYS["val"]))
    damage(tmp_path / ".new.started")
    train, val = (Source(split, arrays) for split, arrays in ARRAYS.items())
    assert write(tmp_path / "new", train, val).digest == packed.digest
    assert (0, 2) in train.read


def test_another_source_or_another_argument_starts_over(tmp_path: Path) -> None:
    others = {"train": tiny_arrays(10, 2), "val": tiny_arrays(6, 1)}
    expected = write(tmp_path / "others", *(Source(split, arrays) for split, arrays in others.items()))
    for changed in ({}, {"level": 2}):
        with pytest.raises(Killed):
            write(tmp_path / "new", Source("train", ARRAYS["train"], 3), Source("val", ARRAYS["val"]))
        train, val = (Source(split, arrays) for split, arrays in others.items())
        assert write(tmp_path / "new", train, val, **changed).digest == expected.digest
        assert train.read.count((0, 2)) == 1
        shutil.rmtree(tmp_path / "new")


def test_what_does_not_fit_is_dropped(tmp_path: Path) -> None:
    wrong = {**ARRAYS["train"], "shape": np.where(np.arange(10) == 7, -100, ARRAYS["train"]["shape"]).astype(np.int8)}
    with pytest.raises(
        BenchError, match="Dataset tiny cannot be packed: field `shape` of split `train` holds the label -100"
    ):
        write(tmp_path / "new", Source("train", wrong))
    short = {**ARRAYS["train"], "depth": ARRAYS["train"]["depth"][:9]}
    with pytest.raises(
        BenchError, match=r"field `depth` of split `train` is float16 \[1, 1, 2\] instead of float16 \[2,"
    ):
        write(tmp_path / "new", Source("train", short))
    assert not list(tmp_path.iterdir())


def test_a_source_that_cannot_be_read_is_no_full_disk(tmp_path: Path, packed: Packed) -> None:
    def read(rows: range) -> dict[str, np.ndarray]:
        (tmp_path / f"{rows.start}.png").read_bytes()
        return {name: array[rows.start : rows.stop] for name, array in ARRAYS["train"].items()}

    for index in (0, 2):
        (tmp_path / f"{index}.png").touch()
    splits = {"train": Samples(10, read), "val": Samples.of(ARRAYS["val"])}
    with pytest.raises(BenchError, match=r"Samples 4 to 5 of split `train` cannot be read .*4\.png.*continues there"):
        write_packed(tmp_path / "new", "tiny", splits, FIELDS, "drawn", {})
    for index in (4, 6, 8):
        (tmp_path / f"{index}.png").touch()
    (tmp_path / "0.png").unlink()  # done, and not read again
    assert write_packed(tmp_path / "new", "tiny", splits, FIELDS, "drawn", {}).digest == packed.digest


def test_whole_arrays_that_cannot_be_written_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BenchError, match=r"No space left on device\); free"):
        write_packed(tmp_path / "new", "tiny", ARRAYS, FIELDS, "drawn", {})
    assert not list(tmp_path.iterdir())


def test_one_process_writes_and_the_others_wait(tmp_path: Path, packed: Packed) -> None:
    first, second = Source("train", ARRAYS["train"]), Source("train", ARRAYS["train"])
    val = Source("val", ARRAYS["val"])
    inside, go_on = threading.Event(), threading.Event()

    def slowly(rows: range) -> dict[str, np.ndarray]:
        inside.set()
        assert go_on.wait(20)
        return first(rows)

    splits = {"train": Samples(10, slowly), "val": val.samples}
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(write_packed, tmp_path / "new", "tiny", splits, FIELDS, "drawn", {})
        assert inside.wait(20)
        other = pool.submit(write, tmp_path / "new", second, val)
        time.sleep(0.1)
        assert not other.done()
        go_on.set()
        assert one.result() == other.result()
    assert len(first.read) == 5
    assert not second.read


def test_a_folder_that_is_there_is_not_read_for(tmp_path: Path, packed: Packed) -> None:
    nothing = Source("train", ARRAYS["train"], 0)
    assert write_packed(packed.folder, "tiny", {"train": nothing.samples}, FIELDS, "", {}) == packed.manifest


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from mtl_bench.data.packed import Field, Samples, write_packed

FIELDS = {"image": Field("uint8", (3, 64, 64), "uint8/255"), "label": Field("int64", (), "class")}

def read(rows):
    index = np.arange(rows.start, rows.stop)
    image = np.empty((len(rows), 3, 64, 64), np.uint8)
    image[:] = (index % 251).astype(np.uint8)[:, None, None, None]
    image[:, 0, 0, :8] = index[:, None] >> np.arange(0, 64, 8) & 255
    return {"image": image, "label": index % 10}

print(write_packed(Path(sys.argv[1]), "many", {"train": Samples(int(sys.argv[2]), read)}, FIELDS, "", {}).digest)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def start(folder: Path, count: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[str, float]:
    """Digest, and the most memory that was resident, in MB."""
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    digest, kilobytes = said.split()
    return digest, int(kilobytes) / 1000


def killed_after(process: subprocess.Popen[str], folder: Path, least: int) -> int:
    """The samples that were done when the process was killed."""
    state = folder.with_name(f".{folder.name}.started") / STATE
    while process.poll() is None:
        if state.is_file() and (done := json.loads(state.read_text())["done"].get("train", 0)) >= least:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return done
        time.sleep(0.002)
    raise AssertionError("the process ended by itself")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not tell the memory of a process")
def test_many_samples_need_little_memory_and_survive_being_killed(tmp_path: Path) -> None:
    count = 100_000
    digest, memory = finish(start(tmp_path / "whole", count))
    assert memory < 300
    killed = start(tmp_path / "killed", count)
    done = killed_after(killed, tmp_path / "killed", 40_000)
    assert 40_000 <= done < count
    again, memory = finish(start(tmp_path / "killed", count))
    assert (again, memory < 300) == (digest, True)
    assert Packed.open(tmp_path / "killed").manifest.splits == {"train": count}
    for folder in ("whole", "killed"):
        shutil.rmtree(tmp_path / folder)  # gigabytes, which pytest would keep
