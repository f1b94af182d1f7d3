"""QM9 as MoleculeNet and PyTorch Geometric distribute it: molecules as an SDF file, targets as CSV."""

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from mtl_bench.data.sources import SourceFile

MOLECULES, TARGETS, SKIPPED = "gdb9.sdf", "gdb9.sdf.csv", "uncharacterized.txt"
REMEDIES = {
    MOLECULES: f"download qm9.zip of MoleculeNet (deepchem.io, molnet_publish), which holds {MOLECULES}",
    TARGETS: f"download qm9.zip of MoleculeNet (deepchem.io, molnet_publish), which holds {TARGETS}",
    SKIPPED: f"download {SKIPPED} (figshare, file 3195404 of Ramakrishnan et al. 2014)",
}
COUNT, LEFT_OUT = 133_885, 3_054
ATOMS = 29  # at most
ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
HARTREE, KCAL = 27.2113825435, 0.04336414  # eV, as in PyTorch Geometric
# Target → column of the file, and what turns its unit into ours (eV for energies).
COLUMNS = {
    **{"mu": ("mu", 1.0), "alpha": ("alpha", 1.0), "homo": ("homo", HARTREE), "lumo": ("lumo", HARTREE)},
    **{"r2": ("r2", 1.0), "zpve": ("zpve", HARTREE), "u0": ("u0_atom", KCAL), "u": ("u298_atom", KCAL)},
    **{"h": ("h298_atom", KCAL), "g": ("g298_atom", KCAL), "cv": ("cv", 1.0)},
}


@lru_cache(maxsize=1)
def read_molecules(path: Path) -> list[bytes]:
    """The text of every molecule, to be read by `read_molecule`."""
    file = SourceFile(path, REMEDIES[MOLECULES])
    found = file.content().split(b"$$$$\n")[:-1]
    file.require(len(found) == COUNT, f"holds {len(found)} molecules of {COUNT}")
    return found


def read_molecule(path: Path, row: int) -> Float32[np.ndarray, "29 33"]:
    """Per atom its number, place (Å) and bonds to all atoms: 1, 2, 3 or 0. Rows of zeros follow the last atom."""
    atoms = np.zeros((ATOMS, 4 + ATOMS), np.float32)
    with SourceFile(path, REMEDIES[MOLECULES]).structure(f"damaged in molecule {row + 1}"):
        lines = read_molecules(path)[row].decode("ascii").split("\n")
        count, bonds = int(lines[3][:3]), int(lines[3][3:6])
        for at, line in enumerate(lines[4 : 4 + count]):
            *place, element = line.split()[:4]
            atoms[at, :4] = ELEMENTS[element], *map(float, place)
        for line in lines[4 + count : 4 + count + bonds]:
            first, second, order = (int(line[start : start + 3]) for start in (0, 3, 6))
            atoms[first - 1, 3 + second] = atoms[second - 1, 3 + first] = order
    return atoms


@lru_cache(maxsize=1)
def read_targets(path: Path) -> Float64[np.ndarray, "molecules 11"]:
    file = SourceFile(path, REMEDIES[TARGETS])
    with file.structure("no CSV file of QM9's targets"):
        rows = list(csv.DictReader(file.content().decode("ascii").splitlines()))
        values = np.array([[float(row[column]) * unit for column, unit in COLUMNS.values()] for row in rows])
    file.require(len(values) == COUNT, f"holds {len(values)} rows of {COUNT}")
    return values


def read_skipped(path: Path) -> set[int]:
    """Rows, counted from 0, of molecules that failed the authors' check; the file counts from 1.

    It has nine lines before its list and one behind it.
    """
    file = SourceFile(path, REMEDIES[SKIPPED])
    with file.structure("no list of molecules"):
        found = {int(line.split()[0]) - 1 for line in file.content().decode("latin-1").split("\n")[9:-2]}
    file.require(len(found) == LEFT_OUT, f"names {len(found)} molecules of {LEFT_OUT}")
    return found
