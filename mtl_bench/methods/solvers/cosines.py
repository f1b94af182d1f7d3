"""What solvers read off a Gramian: the angles between gradients, and rows that have it."""

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dpotrf

INDEPENDENT = 1e-5  # least distance of a unit gradient from the span of those before it, for a triangular root


def cosines_of(gramian: Float[np.ndarray, "k k"]) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, "k"]]:
    """Cosines between gradients, and 1 / ‖g_k‖; both are 0 for a zero gradient.

    Problems that do not care how long gradients are become well scaled in cosines.
    """
    squares = gramian.diagonal()
    inverse = np.zeros(len(gramian))
    np.divide(1.0, np.sqrt(squares.clip(min=0)), out=inverse, where=squares > 0)
    cosines = gramian * inverse[:, None] * inverse
    np.fill_diagonal(cosines, squares > 0)  # exactly
    return cosines, inverse


def root(cosines: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "r k"]:
    """R with RᵀR the positive semidefinite part of a matrix of cosines: coordinates of unit gradients, r its rank."""
    triangle, failed = dpotrf(cosines, clean=1)
    if not failed and triangle.diagonal().min() > INDEPENDENT:
        return triangle
    eigenvalues, vectors = np.linalg.eigh(cosines)
    kept = eigenvalues > len(cosines) * np.finfo(float).eps * eigenvalues[-1]
    rows: Float[np.ndarray, "r k"] = np.sqrt(eigenvalues[kept])[:, None] * vectors[:, kept].T
    rows[:, cosines.diagonal() == 0] = 0  # a column of rounding would be as good as any to a least-squares solver
    return rows
