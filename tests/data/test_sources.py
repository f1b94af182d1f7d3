"""Official files: found in usual places, and refused in one sentence when they are not what they should be."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.data.sources import SourceFile, existing, holding
from mtl_bench.errors import BenchError

CONTENT = b"an official file"


@pytest.fixture
def file(tmp_path: Path) -> SourceFile:
    (tmp_path / "official.bin").write_bytes(CONTENT)
    return SourceFile(tmp_path / "official.bin")


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_size_and_sum_tell_a_file_from_others(file: SourceFile, kind: str) -> None:
    digest = f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}"
    file.verify(len(CONTENT), digest)
    file.verify(size=len(CONTENT))
    file.verify(digest=digest)
    file.compare(CONTENT, digest)
    file.path.write_bytes(CONTENT[::-1])
    file.verify(size=len(CONTENT))
    with pytest.raises(BenchError) as refusal:
        file.verify(len(CONTENT), digest)
    said = f"{file.path} is not the official file of that dataset (its {kind.upper()} differs); check the folder."
    assert str(refusal.value) == said


def test_another_size_is_named(file: SourceFile) -> None:
    with pytest.raises(BenchError) as refusal:
        file.verify(size=99)
    assert str(refusal.value) == f"{file.path} has 16 bytes instead of 99; download it again."


def test_a_file_is_uncompressed(file: SourceFile) -> None:
    assert file.content() == CONTENT
    file.path.write_bytes(gzip.compress(CONTENT))
    assert file.content() == CONTENT
    file.path.write_bytes(gzip.compress(CONTENT)[:-9])
    with pytest.raises(BenchError, match=r"is truncated or damaged .*; download it again"):
        file.content()


def test_an_array_is_no_archive(tmp_path: Path) -> None:
    file = SourceFile(tmp_path / "official.npy")
    np.save(file.path, np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(file.array(), [[0, 1, 2], [3, 4, 5]])
    with file.path.open("wb") as archive:
        np.savez(archive, np.arange(6))
    whole = file.path.read_bytes()
    for content in (whole, whole[:20], b"PK\x03\x04", b""):
        file.path.write_bytes(content)
        with pytest.raises(BenchError, match=r"official\.npy is no NumPy file \(.*\); download it again"):
            file.array()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    absent = SourceFile(tmp_path / "absent")
    for action in (absent.verify, absent.content, absent.array):
        with pytest.raises(BenchError) as refusal:
            action()
        assert str(refusal.value) == f"{absent.path} cannot be read (No such file or directory); check the folder."


@pytest.mark.parametrize(
    "error",
    [ValueError("two\nlines"), KeyError("labels"), EOFError(), OSError("signature not found"), SyntaxError("a chunk")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_reader_raises_is_about_the_structure(tmp_path: Path, error: Exception) -> None:
    file = SourceFile(tmp_path / "file.mat", "get it from the web page")
    with pytest.raises(BenchError) as refusal, file.structure("no HDF5 file"):
        raise error
    assert str(refusal.value).startswith(f"{file.path} is no HDF5 file (")
    assert str(refusal.value).endswith("); get it from the web page.")
    assert "\n" not in str(refusal.value)


def test_a_fault_of_the_code_passes_through(file: SourceFile) -> None:
    with pytest.raises(ZeroDivisionError), file.structure("no HDF5 file"):
        raise ZeroDivisionError
    with pytest.raises(BenchError, match="as it was"), file.structure("no HDF5 file"):
        raise BenchError("as it was")


def test_the_first_folder_with_all_files_is_taken(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("empty", "half", "plain", "gzipped")]
    for folder, files in zip(folders, ([], ["a"], ["a", "b"], ["a.gz", "b.gz"]), strict=True):
        folder.mkdir()
        for file in files:
            (folder / file).touch()
    assert holding(folders, ["a", "b"]) == tmp_path / "plain"
    assert holding(folders[::-1], ["a", "b"]) == tmp_path / "gzipped"
    assert holding(folders[:2], ["a", "b"]) is None
    assert existing(folders[3], "a") == tmp_path / "gzipped" / "a.gz"
