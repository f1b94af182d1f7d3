"""Pickles that hold nothing but NumPy arrays and plain Python values; anything else in them is refused, not run."""

import pickle
from pathlib import Path
from typing import Any

from numpy import dtype, ndarray
from numpy._core import multiarray, numeric

from mtl_bench.data.sources import SourceFile


def read_arrays(path: Path, remedy: str) -> Any:
    """What a pickle of Python 2 or 3 holds; text of Python 2 is read as Latin-1.

    Raises BenchError for a file that is no such pickle, and for one that names a function or class to be called.
    """
    with SourceFile(path, remedy).structure("no pickle of NumPy arrays"), path.open("rb") as file:
        try:
            return _ArrayUnpickler(file, encoding="latin1").load()
        except (pickle.UnpicklingError, AttributeError, ImportError, MemoryError) as error:
            raise ValueError(str(error)) from error


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = CALLABLE.get((module.replace("numpy.core.", "numpy._core."), name))
        if known is None:
            raise ValueError(f"it wants to call {module}.{name}")
        return known


def _latin1(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise ValueError(f"it wants to encode as {encoding}")
    return text.encode("latin1")


CALLABLE = {
    ("numpy", "ndarray"): ndarray,
    ("numpy", "dtype"): dtype,
    ("numpy._core.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("numpy._core.multiarray", "scalar"): multiarray.scalar,
    ("numpy._core.numeric", "_frombuffer"): numeric._frombuffer,  # type: ignore[attr-defined]
    ("_codecs", "encode"): _latin1,
}
