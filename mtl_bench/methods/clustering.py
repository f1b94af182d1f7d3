"""Tasks in groups by their affinities."""

import warnings

import numpy as np
from jaxtyping import Float

REPEATS = 10  # released: attempts, with the window below enlarged by 100 each time
WINDOW = 50  # iterations in which the exemplars must stay


def affinity_groups(matrix: Float[np.ndarray, "K K"], preference: float | None = None) -> list[list[int]] | None:
    """Affinity propagation on the symmetrised affinities, as STGU's release runs it; None: keep the former groups.

    `matrix` is [source, target]; each column is divided by its diagonal entry, X = (N + Nᵀ) / 2. `preference` None: the
    median of all entries of X, the unit diagonal included. Damping 0.5, at most 200 iterations; what has not converged
    by then counts (under the release's scikit-learn 1.0.2 it did not, and another window was tried). None comes back
    where a diagonal entry is not positive (the release would divide by it) and where no exemplar is found.
    """
    self_affinity = matrix.diagonal()
    if not ((self_affinity > 0) & np.isfinite(self_affinity)).all():
        return None
    normalised = matrix / self_affinity
    return similarity_groups((normalised + normalised.T) / 2, preference)


def similarity_groups(similarity: Float[np.ndarray, "K K"], preference: float | None = None) -> list[list[int]] | None:
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
            random_state=0,  # it breaks ties with a tiny noise
        )
        with warnings.catch_warnings():  # not converged is an outcome here: the exemplars so far are used
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "All samples have mutually equal similarities")
            labels = propagation.fit(similarity).labels_
        if (labels >= 0).all():
            found = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
            return sorted(found)
    return None
