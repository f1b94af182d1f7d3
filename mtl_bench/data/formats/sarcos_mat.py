"""SARCOS: the MATLAB file with the official test rows of the robot-arm data (Rasmussen & Williams' GPML page)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mtl_bench.data.formats.mat_files import read_mat
from mtl_bench.data.sources import SourceFile, holding
from mtl_bench.errors import BenchError

FILE = "sarcos_inv_test.mat"
VARIABLE = "sarcos_inv_test"
ROWS, INPUTS, TORQUES = 4449, 21, 7


def read_sarcos(folders: Sequence[Path]) -> Float[np.ndarray, "4449 28"]:
    """Columns 0..20: positions, velocities and accelerations of seven joints; 21..27: their torques.

    Looked for in each folder and its `sarcos/`. Raises BenchError when the file is nowhere or not what it claims to be.
    """
    place = holding([place for folder in folders for place in (folder, folder / "sarcos")], [FILE])
    if place is None:
        raise BenchError(
            f"{FILE} (official test rows of SARCOS) is not in {' or '.join(map(str, folders))}; get it from the GPML "
            "web page and run `mtl-bench prepare dataset=sarcos source=FOLDER`."
        )
    file = SourceFile(place / FILE)
    with file.structure(f"no MATLAB file with the variable {VARIABLE}"):
        table = np.asarray(read_mat(file.path)[VARIABLE], dtype=np.float64)
    right = table.shape == (ROWS, INPUTS + TORQUES) and bool(np.isfinite(table).all())
    file.require(right, f"should hold {ROWS} × {INPUTS + TORQUES} finite numbers but holds {table.shape}")
    return table
