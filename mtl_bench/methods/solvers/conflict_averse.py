"""CAGrad's direction: the worst task's best one within a ball around the mean gradient."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dgesv
from scipy.optimize import nnls

from mtl_bench.methods.solvers.cosines import cosines_of, root
from mtl_bench.methods.solvers.dual_cone import onto_dual_cone

GOAL = 1e-11  # gap at which the search ends
ROUNDING = 10 * np.finfo(float).eps  # of a product with weights, which are large where a mixture all but vanishes
ROUNDS = 60

Face = tuple[Float[np.ndarray, "k"], float]  # a mixture on it, and its τ


def conflict_averse(
    gramian: Float[np.ndarray, "k k"], c: float, preference: Float[np.ndarray, "k"]
) -> tuple[Float[np.ndarray, "k"], float]:
    """Weights of the d with largest min_k g_k · d among ‖d − g₀‖ ≤ c ‖g₀‖, g₀ = Gᵀp, and its relative duality gap.

    d = g₀ + c ‖g₀‖ g_w / ‖g_w‖ with w = argmin g_w · g₀ + c ‖g₀‖ ‖g_w‖ over the simplex, g_w = Gᵀw. For τ = ‖g_w‖ /
    (c ‖g₀‖) that w is the min-norm point of {g_k + τ g₀}, and on the tasks it mixes τ has a closed form; so the
    search is over τ alone, and ends when those tasks are found (two tasks: all three faces are looked at). Where the
    best g_w is 0, a Pareto-stationary point, d is the nearest to g₀ that no task objects to, which is as good as any.
    The gap is relative to (1 + c) ‖g₀‖ times the longest gradient.
    """
    trace = float(np.trace(gramian))
    inner = gramian / trace if trace > 0 else gramian
    pull = inner @ preference
    size, longest = np.sqrt([max(preference @ pull, 0.0), inner.diagonal().max()])
    radius = c * size
    if radius <= 1e-150:
        return preference, 0.0
    unit, bound = (size + radius) * longest, np.inf
    best, low = preference, float(pull.min())
    for mixed in _pair(inner, pull, radius) if len(inner) == 2 else _mixtures(inner, pull, radius, preference):
        length = float(np.sqrt(max(mixed @ inner @ mixed, 0.0)))
        bound = min(bound, float(mixed @ pull) + radius * length)  # no d of the ball is better for its worst task
        weights = preference + radius / max(length, 1e-150) * mixed
        certain = float((inner @ weights - ROUNDING * (np.abs(inner) @ weights)).min())
        if certain > low:
            best, low = weights, certain
        if bound - low <= GOAL * unit:
            return best, max(bound - low, 0.0) / unit
    projected = onto_dual_cone(inner, preference[None])[0][0]
    added = projected - preference
    if added @ inner @ added <= radius**2 * (1 + 1e-9) and (inner @ projected).min() >= low:
        best, low = projected, float((inner @ projected).min())
    return best, max(bound - low, 0.0) / unit


def _pair(
    inner: Float[np.ndarray, "2 2"], pull: Float[np.ndarray, "2"], radius: float
) -> Iterator[Float[np.ndarray, "2"]]:
    for support in ([0, 1], [0], [1]):
        face = _on_face(inner, pull, radius, np.array(support))
        if face is not None and face[0].min() >= 0:
            yield face[0]
        elif len(support) == 1:  # a zero gradient
            yield np.eye(2)[support[0]]


def _mixtures(
    inner: Float[np.ndarray, "k k"], pull: Float[np.ndarray, "k"], radius: float, preference: Float[np.ndarray, "k"]
) -> Iterator[Float[np.ndarray, "k"]]:
    """Ever better mixtures: of the tasks at a τ, with the τ that is right for these tasks."""
    rows = root(cosines_of(inner)[0]) * np.sqrt(inner.diagonal().clip(min=0))
    mean = rows @ preference
    low, high, tau = 0.0, np.inf, float(np.sqrt(preference @ pull)) / radius
    points, target = np.ones((len(rows) + 1, len(inner))), np.zeros(len(rows) + 1)
    target[-1] = 1
    for _ in range(ROUNDS):
        points[:-1] = (rows + tau * mean[:, None]) / (1 + tau)
        mixed = nnls(points, target, maxiter=100 * len(inner))[0]
        mixed = mixed / mixed.sum()
        face = _on_face(inner, pull, radius, np.flatnonzero(mixed))
        yield mixed if face is None or face[0].min() < 0 else face[0]
        if mixed @ inner @ mixed > (tau * radius) ** 2:
            low = tau
        else:
            high = tau
        between = 2 * tau if high == np.inf else (low + high) / 2
        tau = face[1] if face is not None and low < face[1] < high else between


def _on_face(
    inner: Float[np.ndarray, "k k"], pull: Float[np.ndarray, "k"], radius: float, support: np.ndarray
) -> Face | None:
    """Where w = a + τ b, of sum 1 and stationary among the tasks of `support`, has ‖g_w‖ = τ · radius; it may leave
    the simplex.

    a and b are orthogonal in G, so that τ² = aᵀGa / (radius² − bᵀGb).
    """
    size = len(support)
    bordered = np.zeros((size + 1, size + 1))
    bordered[:size, :size] = inner[np.ix_(support, support)]
    bordered[size, :size] = bordered[:size, size] = 1
    sides = np.zeros((size + 1, 2))
    sides[size, 0] = 1
    sides[:size, 1] = -pull[support]
    *_, solved, failed = dgesv(bordered, sides)
    if failed:
        return None
    solved = solved[:size]
    products = bordered[:size, :size] @ solved
    numerator, denominator = solved[:, 0] @ products[:, 0], radius**2 - solved[:, 1] @ products[:, 1]
    if numerator <= 0 or denominator <= 0:
        return None
    tau = float(np.sqrt(numerator / denominator))
    mixed = np.zeros(len(inner))
    mixed[support] = solved[:, 0] + tau * solved[:, 1]
    return mixed, tau
