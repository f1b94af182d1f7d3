"""Projections onto the directions that no task objects to."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from mtl_bench.methods.solvers.cosines import cosines_of, root


def onto_dual_cone(
    gramian: Float[np.ndarray, "k k"], weights: Float[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, "n k"], float]:
    """Weights v of the projections of each Gᵀw onto {d : g_k · d ≥ 0 for all k}, and the worst optimality residual.

    v minimises vᵀGv over v ≥ w, solved exactly as non-negative least squares in the cosines, without a ridge. A w whose
    Gᵀw conflicts with no task is its own projection; two tasks have a closed form. The residual is the most negative
    g_k · d, or the largest |(v_k − w_k) g_k · d|, with unit g_k and Gᵀw.
    """
    conflicts = ((weights @ gramian) < 0).any(axis=1)
    if not conflicts.any():
        return weights, 0.0
    cosines, inverse = cosines_of(gramian)
    start = weights * np.sqrt(gramian.diagonal().clip(min=0))  # of unit gradients
    slopes = start @ cosines
    sizes = np.sqrt((start * slopes).sum(axis=1, keepdims=True).clip(min=1e-300))  # ‖Gᵀw‖
    start, slopes = start / sizes, slopes / sizes
    if len(gramian) == 2:
        added = (-slopes).clip(min=0)
    else:
        added, rows = np.zeros_like(start), root(cosines)
        targets = -(start @ rows.T)
        for i in np.flatnonzero(conflicts):
            added[i] = nnls(rows, targets[i], maxiter=100 * len(gramian))[0]
    slopes = slopes + added @ cosines
    residual = max(0.0, float(-slopes.min()), float(np.abs(added * slopes).max()))
    return weights + sizes * added * inverse, residual
