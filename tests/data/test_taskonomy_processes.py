"""Taskonomy packed by a process that is killed, and continued by another."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.taskonomy_files import PATTERNS, write_views
from tests.data.test_official_processes import ROOT, children, done, runs, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="the system does not tell a process's children"),
]
TASKS = ("depth_zbuffer", "normal", "segment_unsup2d")
VIEWS = [(point, view) for point in range(30) for view in range(2)]

SCRIPT = f"""
import sys
from functools import partial
from pathlib import Path
from mtl_bench.data.dataset import prepare
from mtl_bench.data import stream
from mtl_bench.data.official import Packing
from mtl_bench.data.taskonomy import Taskonomy

if __name__ == "__main__":
    stream.CHUNK = 1 << 18
    dataset = Taskonomy(tasks={TASKS}, size=64, building="hanson")
    pack = partial(dataset.pack, packing=Packing(workers=2))
    print(prepare(dataset, Path(sys.argv[1]), Path(sys.argv[2]), pack).digest)
"""


def start(tmp_path: Path, root: Path) -> subprocess.Popen[str]:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(root), str(tmp_path / "source")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_killed_it_continues_to_the_same_bytes(tmp_path: Path) -> None:
    write_views(tmp_path / "source", PATTERNS[3], "hanson", VIEWS, tasks=("rgb", *TASKS))
    digest = start(tmp_path, tmp_path / "whole").communicate(timeout=300)[0]
    killed = start(tmp_path, tmp_path / "killed")
    wait(lambda: done(tmp_path / "killed") > 0)
    started = children(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 < done(tmp_path / "killed") < len(VIEWS) * 8 // 10
    wait(lambda: not any(map(runs, started)))
    again = start(tmp_path, tmp_path / "killed")
    assert (again.communicate(timeout=300)[0], again.returncode) == (digest, 0)
