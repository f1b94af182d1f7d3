import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import write_atomic


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: the operating system refuses, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text("old")
    return path


def assert_untouched(path: Path) -> None:
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("data", "expected"), [("größer", "größer".encode()), (b"\x00\xff", b"\x00\xff")])
def test_replaces_the_whole_file(path: Path, data: bytes | str, expected: bytes) -> None:
    write_atomic(path, data)
    assert path.read_bytes() == expected
    assert list(path.parent.iterdir()) == [path]


def test_permissions_are_those_of_any_new_file(path: Path) -> None:
    write_atomic(path, "new")
    (other := path.with_name("other")).touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_refused_write_keeps_the_old_file(path: Path) -> None:
    with largest_file(100), pytest.raises(BenchError, match=r"record\.json cannot be written \(File too large\)"):
        write_atomic(path, b"x" * 1000)
    assert_untouched(path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(BenchError, match=r"record\.json cannot be written \(No space left on device\)"):
        write_atomic(path, "new")
    assert_untouched(path)


def test_interrupt_leaves_no_temporary_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert_untouched(path)


def test_unwritable_folder(path: Path) -> None:
    with pytest.raises(BenchError, match="choose another folder"):
        write_atomic(path / "inside_a_file", "new")
