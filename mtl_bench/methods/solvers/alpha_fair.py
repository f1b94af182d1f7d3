"""The direction that α-fair bargaining of the tasks settles on."""

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dposv

from mtl_bench.methods.solvers.cosines import cosines_of

GOAL, BOUND = 1e-12, 1e-8  # residual at which Newton stops, and above which there is no solution
BLURRED = 1e-2  # rounding of the residual above which there is none either
RIDGE = 1e-7  # on cosines, where there is none
HOPELESS = 1e15  # times the weight that a task would have alone: there is no solution to go to
ITERATIONS = 200
EPSILON = float(np.finfo(float).eps)  # looking it up takes as long as a product


def alpha_fair(
    gramian: Float[np.ndarray, "k k"], alpha: float, powers: Float[np.ndarray, "k"]
) -> tuple[Float[np.ndarray, "k"], float]:
    """w > 0 with (Gw)_k = (powers_k / w_k)^(1/α), and max_k |(Gw)_k (w_k / powers_k)^(1/α) − 1|.

    The minimiser of the strictly convex ½ wᵀGw − Σ powers_k^β w_k^(1−β) / (1 − β), β = 1/α (a logarithm at α = 1), by
    Newton's method that is damped so that it neither leaves w > 0 nor overshoots; in units in which each task alone
    would have weight 1. Two tasks at α = 1 have a closed form. A task of power 0 or with a zero gradient has weight 0.

    Where some mixture of the gradients vanishes there is no solution: then, and then only, 1e-7 ‖g_k‖² is added to the
    diagonal of the positive semidefinite part of G, and the residual is that of the problem which was solved.
    """
    weights = np.zeros(len(gramian))
    kept = np.flatnonzero((gramian.diagonal() > 0) & (powers > 0))
    if not len(kept):
        return weights, 0.0
    beta, trace = 1 / alpha, float(np.trace(gramian))
    inner, power = gramian[kept][:, kept] / trace, powers[kept]
    alone = (power**beta / inner.diagonal()) ** (1 / (1 + beta))
    inner = inner * np.outer(alone, alone)
    own = inner.diagonal().copy()
    found = _pair(inner) if len(kept) == 2 and alpha == 1 else _newton(inner, own, beta)
    residual, rounding = _missed(inner, own, beta, found)
    if residual > BOUND or rounding > BLURRED:
        eigenvalues, vectors = np.linalg.eigh(cosines_of(inner)[0])
        cosines = (vectors * eigenvalues.clip(min=0)) @ vectors.T + RIDGE * np.eye(len(kept))
        inner = cosines * np.sqrt(np.outer(own, own))
        found = _newton(inner, own, beta)
        residual, _ = _missed(inner, own, beta, found)
    weights[kept] = found * alone * trace ** (-1 / (1 + beta))
    return weights, residual


def _missed(
    inner: Float[np.ndarray, "k k"], own: Float[np.ndarray, "k"], beta: float, v: Float[np.ndarray, "k"]
) -> tuple[float, float]:
    """max_k |(inner v)_k v_k^β / own_k − 1| beyond rounding, and the rounding: what another last digit of v changes."""
    factors = v**beta / own
    rounding = len(v) * EPSILON * (np.abs(inner) @ v) * factors
    return float((np.abs((inner @ v) * factors - 1) - rounding).clip(min=0).max()), float(rounding.max())


def _pair(inner: Float[np.ndarray, "2 2"]) -> Float[np.ndarray, "2"]:
    """v_k (inner v)_k = inner_kk: v₀ / v₁ = r solves b r² + c (b − a) r − a = 0, the rest follows."""
    a, b = inner.diagonal()
    c = inner[0, 1] / np.sqrt(a * b)  # in units of gradients of length 1: r is of √a v₀ and √b v₁
    half = c * (b - a)
    root = np.sqrt(half**2 + 4 * a * b)
    ratio = (root - half) / (2 * b) if half <= 0 else 2 * a / (root + half)
    second = np.sqrt(b / max(1 + c * ratio, 1e-300))
    return np.array([ratio * second / np.sqrt(a), second / np.sqrt(b)])


def _newton(inner: Float[np.ndarray, "k k"], own: Float[np.ndarray, "k"], beta: float) -> Float[np.ndarray, "k"]:
    """v > 0 with (inner v)_k = own_k v_k^−β."""
    total = float(own.sum())
    v = np.full(len(own), (total / max(float(inner.sum()), 1e-6 * total)) ** (1 / (1 + beta)))
    best, smallest = v, np.inf
    pull = own * v**-beta
    slope = inner @ v - pull
    for _ in range(ITERATIONS):
        missed = float(np.abs(slope / pull).max())
        stuck = smallest < BOUND and missed > smallest / 4  # what is left is rounding
        if missed < smallest:
            best, smallest = v, missed
        if smallest <= GOAL or stuck or v.max() > HOPELESS:
            break
        hessian = inner.copy()
        hessian.flat[:: len(own) + 1] += beta * pull / v
        _, way, failed = dposv(hessian, -slope, overwrite_a=1)
        if failed:
            break
        along = float(slope @ way)
        length = min(1.0, 0.95 / max(float((-way / v).max()), 1e-300))
        while True:
            moved = v + length * way
            pull = own * moved**-beta
            slope = inner @ moved - pull
            if float(slope @ way) <= -along / 2 or length < 1e-8:
                break
            length /= 2
        v = moved
    return best
