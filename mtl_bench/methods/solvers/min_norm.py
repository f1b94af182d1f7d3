"""The point of smallest norm in the convex hull of the task gradients."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls


def min_norm(gramian: Float[np.ndarray, "k k"]) -> tuple[Float[np.ndarray, "k"], float]:
    """argmin wᵀGw over the simplex, and its relative optimality gap max(0, wᵀGw − min_k (Gw)_k) / tr G.

    Solved exactly as non-negative least squares: with w = s v, v on the simplex, wᵀGw + (Σw − 1)² is
    s² vᵀGv + (s − 1)², whose minimiser has the same v for every s. A zero Gramian gives equal weights. Rounding in
    float32 rows makes G slightly indefinite; its positive semidefinite part is what is solved and what the gap is of.
    """
    k = len(gramian)
    trace = float(np.trace(gramian))
    if trace <= 0:
        return np.full(k, 1 / k), 0.0
    eigenvalues, vectors = np.linalg.eigh(gramian / trace)
    root = np.sqrt(eigenvalues.clip(min=0))[:, None] * vectors.T  # rootᵀ root = G / tr G
    # SciPy gives up after 3 k exchanges by default, which 40 gradients of very different norms need more of.
    solution, _ = nnls(np.vstack([root, np.ones(k)]), np.append(np.zeros(k), 1.0), maxiter=100 * k)
    weights = solution / solution.sum()
    products = root.T @ (root @ weights)
    return weights, max(0.0, float(weights @ products - products.min()))
