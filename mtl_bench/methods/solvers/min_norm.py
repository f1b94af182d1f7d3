"""The point of smallest norm in the convex hull of the task gradients."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from mtl_bench.methods.solvers.cosines import cosines_of, root


def min_norm(gramian: Float[np.ndarray, "k k"]) -> tuple[Float[np.ndarray, "k"], float]:
    """argmin wᵀGw over the simplex, and its optimality gap max(0, wᵀGw − min_k (Gw)_k) relative to min_k G_kk, which
    the optimum does not exceed.

    Solved exactly as non-negative least squares: with w = s v, v on the simplex, wᵀGw + c² (Σw − 1)² is
    s² vᵀGv + c² (s − 1)², whose minimiser has the same v for every c. Its unknowns are the lengths w_k ‖g_k‖, so that a
    short gradient counts beside one a thousand times as long. Gradients of 0 are the optimum, all alike. Rounding in
    float32 rows makes cosines slightly indefinite; their positive semidefinite part is what is solved and what the gap
    is of.
    """
    cosines, inverse = cosines_of(gramian)
    if not inverse.all():
        zero = inverse == 0
        return zero / zero.sum(), 0.0
    rows, closeness = root(cosines), inverse / inverse.max()  # of the shortest gradient 1
    target = np.append(np.zeros(len(rows)), 1.0)
    # SciPy gives up after 3 k exchanges by default, which 40 gradients of very different norms need more of.
    lengths, _ = nnls(np.vstack([rows, closeness]), target, maxiter=100 * len(gramian))
    lengths /= lengths @ closeness  # in units of the shortest gradient, of weights that sum to 1
    products = rows.T @ (rows @ lengths) / closeness
    weights = lengths * closeness
    return weights, max(0.0, float(weights @ products - products.min()))
