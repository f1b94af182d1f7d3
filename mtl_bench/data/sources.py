"""Official files on disk: where they lie, and whether they are what they claim to be by size, sum and structure."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_bench.errors import BenchError

# What readers raise about a file of another structure. h5py and gzip have an OSError for it, which has no number;
# Pillow has a SyntaxError for a broken chunk of a PNG, SciPy a RuntimeError for MATLAB 7.3.
STRUCTURE = (ValueError, LookupError, TypeError, RuntimeError, EOFError, OSError, SyntaxError, zlib.error)


@dataclass(frozen=True)
class SourceFile:
    """One official file. Whatever it is not becomes one sentence that names it and ends with `remedy`.

    Every method raises BenchError with that sentence.
    """

    path: Path
    remedy: str = "download it again"

    def verify(self, size: int | None = None, digest: str | None = None) -> None:
        """Compares the file as it is with its published number of bytes and sum, `sha256:…` or `md5:…`."""
        with self.structure("no file"):
            found = self.path.stat().st_size
            self.require(size in (None, found), f"has {found} bytes instead of {size}")
            with self.path.open("rb") as file:
                self._compare(file, digest)

    def compare(self, content: bytes, digest: str | None) -> None:
        """Compares what was read, and perhaps uncompressed, with its published sum."""
        self._compare(io.BytesIO(content), digest)

    def content(self) -> bytes:
        """All of it, uncompressed where it is gzipped."""
        with self.structure("truncated or damaged"):
            content = self.path.read_bytes()
            return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content

    def array(self) -> np.ndarray:
        """Of an `.npy` file; NumPy's own `load` would take an archive or a pickle of that name for one as well."""
        with self.structure("no NumPy file"), self.path.open("rb") as file:
            return np.lib.format.read_array(file)

    @contextmanager
    def structure(self, otherwise: str) -> Iterator[None]:
        """Around a reader: what it raises says that the file is `otherwise`, or cannot be read at all."""
        try:
            yield
        except STRUCTURE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise BenchError(f"{self.path} cannot be read ({error.strerror}); check the folder.") from error
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise BenchError(f"{self.path} is {otherwise} ({reason}); {self.remedy}.") from error

    def require(self, holds: bool, otherwise: str) -> None:
        """Says what the file does `otherwise` unless the condition holds: `require(rows == 5, "holds 4 rows of 5")`."""
        if not holds:
            raise BenchError(f"{self.path} {otherwise}; {self.remedy}.")

    def _compare(self, content: io.BufferedIOBase, digest: str | None) -> None:
        if digest is None:
            return
        kind, _, expected = digest.partition(":")
        found = hashlib.file_digest(content, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
        if found != expected:
            raise BenchError(
                f"{self.path} is not the official file of that dataset (its {kind.upper()} differs); check the folder."
            )


def holding(folders: Iterable[Path], files: Sequence[str]) -> Path | None:
    """The first folder that holds all the files, gzipped or plain."""
    return next((folder for folder in folders if all(existing(folder, file).is_file() for file in files)), None)


def existing(folder: Path, file: str) -> Path:
    """The gzipped file where there is one, else the plain one."""
    compressed = folder / f"{file}.gz"
    return compressed if compressed.is_file() else folder / file
