"""Folders that appear whole or not at all."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mtl_bench.data.publish import continued, published
from mtl_bench.errors import BenchError


def test_the_folder_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"
    with published(target) as temporary:
        (temporary / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), published(tmp_path / "folder"):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_the_faster_process_wins(tmp_path: Path) -> None:
    with published(tmp_path / "folder") as slow:
        (slow / "file").write_text("slow")
        with published(tmp_path / "folder") as fast:
            (fast / "file").write_text("fast")
    assert (tmp_path / "folder" / "file").read_text() == "fast"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_killed_process_leaves_no_folder_and_blocks_nobody(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from mtl_bench.data.publish import published\n"
        "with published(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'file').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "folder")], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "folder").exists()
    with published(tmp_path / "folder"):
        pass
    assert (tmp_path / "folder").is_dir()


def test_an_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BenchError, match="could not be written"), published(tmp_path / "file" / "folder"):
        pass


def test_what_was_started_is_handed_on(tmp_path: Path) -> None:
    def broken() -> None:
        with continued(tmp_path / "folder") as started:
            (started / "file").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert not (tmp_path / "folder").exists()
    with continued(tmp_path / "folder") as started:
        assert (started / "file").read_text() == "half"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_one_at_a_time_whoever_removes_the_lock(tmp_path: Path) -> None:
    """Many come and go: a lock that was removed under one that waits must not let two in."""
    inside, most = [], []

    def enter(number: int) -> None:
        with continued(tmp_path / f"{number % 2}"):
            inside.append(number % 2)
            most.append(inside.count(number % 2))
            time.sleep(0.002)
            inside.remove(number % 2)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(80)))
    assert (len(most), max(most)) == (80, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
