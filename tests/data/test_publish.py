"""Folders that appear whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_bench.data.publish import published
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
