"""Tasks in groups by their affinities."""

import warnings
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.errors import BenchError

Normalise = Literal["released", "columns"]
NORMALISATIONS = get_args(Normalise)

REPEATS = 10  # released: attempts, with the window below enlarged by 100 each time
WINDOW = 50  # iterations in which the exemplars must stay
STATES = range(10)  # random states under which a partition is compared with itself


def affinity_groups(
    matrix: Float[np.ndarray | Tensor, "K K"],
    normalise: Normalise = "released",
    random_state: int = 0,
    preference: float | None = None,
) -> list[list[int]] | None:
    """Affinity propagation on the symmetrised affinities (STGU: Jeong and Yoon, ICLR 2025); None: keep former groups.

    `matrix` A is [source, target]. X = (N + Nᵀ) / 2, where with `normalise="columns"` every entry of a column is
    divided by its diagonal entry, N[s, t] = A[s, t] / A[t, t]. `released` divides the diagonal and what is above it
    (s ≤ t) alone: the authors' code divides a column in place by a view of its own diagonal entry, which is 1 from
    there on (seen with torch 1.13.1, which it pins, and 2.13).

    `preference` None: the median of all entries of X, the unit diagonal included. Damping 0.5, at most 200 iterations;
    what has not converged by then counts (under the release's scikit-learn 1.0.2 it did not, and another window was
    tried). `random_state` seeds the tiny noise that breaks ties, which with three tasks are the rule: the median is
    then one of the similarities. None comes back where a diagonal entry is not positive (the release would divide by
    it), where X is not finite and where no exemplar is found.

    Raises BenchError for a matrix that is not square and for an unknown normalisation.
    """
    similarity = normalised_similarity(matrix, normalise)
    return None if similarity is None else similarity_groups(similarity, preference, random_state)


def depends_on_state(
    matrix: Float[np.ndarray | Tensor, "K K"], normalise: Normalise, preference: float | None = None
) -> bool:
    """Whether `affinity_groups` gives more than one partition under ten random states."""
    found = [affinity_groups(matrix, normalise, state, preference) for state in STATES]
    return any(groups != found[0] for groups in found)


def normalised_similarity(
    matrix: Float[np.ndarray | Tensor, "K K"], normalise: Normalise
) -> Float[np.ndarray, "K K"] | None:
    """X of `affinity_groups`; None where affinities do not allow one."""
    if normalise not in NORMALISATIONS:
        raise BenchError(f"normalise is one of {', '.join(NORMALISATIONS)}; got {normalise!r}.")
    host = matrix.detach().cpu() if isinstance(matrix, torch.Tensor) else matrix
    affinity = np.asarray(host, dtype=np.float64)
    if affinity.ndim != 2 or affinity.shape[0] != affinity.shape[1] or not affinity.size:
        raise BenchError(f"Affinities are a square matrix, [source, target]; got the shape {affinity.shape}.")
    own = affinity.diagonal()
    if not (np.isfinite(affinity).all() and (own > 0).all()):
        return None
    with np.errstate(over="ignore"):  # a tiny self-affinity: seen below
        divided = affinity / own
    if normalise == "released":
        divided = np.triu(divided) + np.tril(affinity, -1)
    similarity = (divided + divided.T) / 2
    return similarity if np.isfinite(similarity).all() else None


def similarity_groups(
    similarity: Float[np.ndarray, "K K"], preference: float | None = None, random_state: int = 0
) -> list[list[int]] | None:
    """Groups of a symmetric similarity, in the order of their first task."""
    from sklearn.cluster import AffinityPropagation  # late: half a second that only STGU needs
    from sklearn.exceptions import ConvergenceWarning

    if len(similarity) == 1:
        return [[0]]
    for repeat in range(REPEATS):
        propagation = AffinityPropagation(
            affinity="precomputed",
            damping=0.5,
            max_iter=200,
            convergence_iter=WINDOW + 100 * repeat,
            preference=float(np.median(similarity)) if preference is None else preference,
            random_state=random_state,
        )
        with warnings.catch_warnings():  # not converged is an outcome here: the exemplars so far are used
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "All samples have mutually equal similarities")
            labels = propagation.fit(similarity).labels_
        if (labels >= 0).all():
            found = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
            return sorted(found)
    return None
