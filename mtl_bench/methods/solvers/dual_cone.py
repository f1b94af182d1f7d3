"""Projections onto the directions that no task objects to."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import nnls

from mtl_bench.methods.solvers.cosines import cosines_of, root

BOUND = 1e-8  # of the residual, above which a solver is counted as failed
RIDGE = 1e-6


def onto_dual_cone(
    gramian: Float[np.ndarray, "k k"], weights: Float[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, "n k"], float]:
    """Weights v of the projections of each Gᵀw onto {d : g_k · d ≥ 0 for all k}, and the worst optimality residual.

    v minimises vᵀGv over v ≥ w, solved exactly as non-negative least squares in the cosines. A w whose Gᵀw conflicts
    with no task is its own projection; two tasks have a closed form. The residual is the most negative g_k · d, or the
    largest |(v_k − w_k) g_k · d|, with unit g_k and Gᵀw.

    Where it stays above BOUND, some gradients are opposite up to the rounding of single-precision rows, and a direction
    that no task objects to would be made of that rounding, hundreds of times as long as Gᵀw: then, and then only, RIDGE
    is added to the diagonal of the cosines, and the residual is that of the problem which was solved.
    """
    conflicts = ((weights @ gramian) < 0).any(axis=1)
    if not conflicts.any():
        return weights, 0.0
    cosines, inverse = cosines_of(gramian)
    if len(gramian) == 2:  # a cosine that rounding took below −1 would make the length of Gᵀw one of no number
        cosines = cosines.clip(-1, 1)
    start = weights * np.sqrt(gramian.diagonal().clip(min=0))  # of unit gradients
    sizes = np.sqrt((start * (start @ cosines)).sum(axis=1, keepdims=True).clip(min=1e-300))  # ‖Gᵀw‖
    added, residual = _added(cosines, start / sizes, conflicts)
    if residual > BOUND and len(gramian) > 2:
        added, residual = _added(cosines + RIDGE * np.diag(cosines.diagonal()), start / sizes, conflicts)
    return weights + sizes * added * inverse, residual


def _added(
    cosines: Float[np.ndarray, "k k"], start: Float[np.ndarray, "n k"], conflicts: Bool[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "n k"], float]:
    """v − w of unit gradients, and the residual."""
    slopes = start @ cosines
    if len(cosines) == 2:
        added = (-slopes).clip(min=0)
    else:
        added, rows = np.zeros_like(start), root(cosines)
        targets = -(start @ rows.T)
        for i in np.flatnonzero(conflicts):
            added[i] = nnls(rows, targets[i], maxiter=100 * len(cosines))[0]
    slopes = slopes + added @ cosines
    return added, max(0.0, float(-slopes.min()), float(np.abs(added * slopes).max()))
