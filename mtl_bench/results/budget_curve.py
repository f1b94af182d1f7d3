"""What a search of n trials is worth on average, from one of more trials."""

from collections.abc import Sequence
from math import comb, inf

import numpy as np
from jaxtyping import Float

from mtl_bench.records.entry import Study


def expected_best(scores: Sequence[float]) -> Float[np.ndarray, "trials"]:
    """E[max of n of the scores], n = 1..N, over all orders in which they could have come.

    With v_1 ≤ … ≤ v_N the i-th is the largest of n drawn without replacement in C(i−1, n−1) of C(N, n) cases, so that
    E_n = Σ_i v_i C(i−1, n−1) / C(N, n): the unbiased estimate of Tang et al. (ACL 2020), where Dodge et al. (EMNLP
    2019), who proposed such curves, draw with replacement. No trials: no curve.
    """
    ordered = sorted(scores)
    N = len(ordered)
    return np.array(
        [
            sum(ordered[i] * (comb(i, n - 1) / comb(N, n)) for i in range(n - 1, N))  # never 0 · −∞
            for n in range(1, N + 1)
        ]
    )


def budget_curve(study: Study) -> Float[np.ndarray, "trials"]:
    """Expected best score after 1..N trials: the configuration as it stands, then the drawn ones in any order.

    Drawn ones below the first change nothing, so each counts as no less than it. Exact for what was drawn; an estimate
    for other searches where draws are independent (sampler=random), and too high for small n where they are not (tpe).
    −∞ as long as nothing can have converged.
    """
    first, *others = (-inf if trial["score"] is None else trial["score"] for trial in study["trials"])
    return np.concatenate([[first], expected_best([max(first, score) for score in others])])
