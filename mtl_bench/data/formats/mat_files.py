"""MATLAB files of up to version 7."""

from pathlib import Path
from typing import Any

from scipy import io
from scipy.io.matlab import MatReadError


def read_mat(path: Path) -> dict[str, Any]:
    """The variables by name. Raises ValueError where SciPy has an error of its own, for a file cut off at its start."""
    try:
        return io.loadmat(path)
    except MatReadError as error:
        raise ValueError(str(error)) from error
