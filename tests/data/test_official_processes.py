"""Packing by several processes: killed at any moment, and in a constant amount of memory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_bench.data.stream import STATE
from tests.data.tiles import write_tiles

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="the system does not tell a process's children"),
]

SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from mtl_bench.data.dataset import prepare
from mtl_bench.data import stream
from mtl_bench.data.official import Packing
from tests.data.tiles import Tiles

if __name__ == "__main__":
    stream.CHUNK = 1 << 20
    dataset = Tiles(count=int(sys.argv[3]), side=int(sys.argv[4]))
    pack = partial(dataset.pack, packing=Packing(workers=2))
    print(prepare(dataset, Path(sys.argv[1]), Path(sys.argv[2]), pack).digest)
"""


def start(tmp_path: Path, root: Path, source: Path, count: int, side: int = 16) -> subprocess.Popen[str]:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", root, source, count, side]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*map(str, command)], env=environment, stdout=subprocess.PIPE, text=True)


def many_tiles(source: Path, count: int, side: int = 16) -> Path:
    """Few tiles, each under many names."""
    write_tiles(source, 60, side)
    for split, size in (("train", count), ("test", count // 2)):
        for kind in ("image", "depth"):
            for row in range(60 if split == "train" else 30, size):
                (source / split / kind / f"{row}.npy").symlink_to(f"{row % 30}.npy")
    return source


def children(process: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, parent = path.parent.name, path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == process:
            found += [int(number), *children(int(number))]
    return found


def runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def done(root: Path) -> int:
    try:
        started = next((root / "packed").glob(".*.started"))
        return json.loads((started / STATE).read_text())["done"].get("train", 0)
    except (OSError, StopIteration, ValueError):
        return 0


def wait(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("waited half a minute")


def test_killed_at_any_moment_it_continues_to_the_same_bytes(tmp_path: Path) -> None:
    """Nothing that was started outlives its parent."""
    count, source = 4_000, many_tiles(tmp_path / "source", 4_000)
    whole = start(tmp_path, tmp_path / "whole", source, count)
    digest = whole.communicate(timeout=300)[0]
    killed = start(tmp_path, tmp_path / "killed", source, count)
    wait(lambda: done(tmp_path / "killed") > 0)
    started = children(killed.pid)
    assert len(started) >= 3  # two readers and who starts them
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 < done(tmp_path / "killed") < count
    wait(lambda: not any(map(runs, started)))
    again = start(tmp_path, tmp_path / "killed", source, count)
    assert (again.communicate(timeout=300)[0], again.returncode) == (digest, 0)


def resident(process: int) -> int:
    """MB, of one process."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1000 for line in lines if line.startswith("VmRSS")), 0)


def most_memory(process: subprocess.Popen[str]) -> int:
    """MB, of the process and all that it started, at most at once."""
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(resident, [process.pid, *children(process.pid)])))
        time.sleep(0.05)
    assert process.returncode == 0
    return most


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """Samples of 0.46 MB: 83 MB, and 830 MB."""
    side, source = 256, many_tiles(tmp_path / "source", 1200, 256)
    few, many = (most_memory(start(tmp_path, tmp_path / str(n), source, n, side)) for n in (120, 1200))
    for count in (120, 1200):
        shutil.rmtree(tmp_path / str(count))  # which pytest would keep
    assert many < few + 100
