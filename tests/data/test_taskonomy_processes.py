"""Taskonomy packed by a process that is killed, and continued by another."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_bench.data import stream
from mtl_bench.data.dataset import prepare
from mtl_bench.data.taskonomy import Taskonomy
from tests.data.taskonomy_files import PATTERNS, write_views
from tests.data.test_official_processes import ROOT, done, wait

TASKS = ("depth_zbuffer", "normal")
DATASET = Taskonomy(tasks=TASKS, size=64, building="hanson")
VIEWS = [(point, view) for point in range(30) for view in range(2)]
CHUNK = 1 << 17  # four views
SCRIPT = """
import sys
from pathlib import Path
from mtl_bench.data.dataset import prepare
from tests.data import test_taskonomy_processes as test

test.stream.CHUNK = test.CHUNK
prepare(test.DATASET, Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_killed_it_continues_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHUNK", CHUNK)
    source = tmp_path / "source"
    write_views(source, PATTERNS[3], "hanson", VIEWS, tasks=("rgb", *TASKS))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), str(source)]
    killed = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    wait(lambda: done(tmp_path / "killed") > 0)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 < done(tmp_path / "killed") < len(VIEWS) * 8 // 10
    whole = prepare(DATASET, tmp_path / "whole", source)
    assert prepare(DATASET, tmp_path / "killed", source).digest == whole.digest
