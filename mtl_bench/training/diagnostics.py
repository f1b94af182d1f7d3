"""How the task gradients of a batch relate, measured beside training and without effect on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.records.probed_cosines import COSINE, probed_cosines
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.ledger import Ledger

SHARE = "diagnostics/share/"


def probe(step: BatchStep) -> tuple[tuple[int, ...], Float[Tensor, "k k"]]:
    """Tasks and Gramian of a batch's raw losses; parameters, buffers, random streams and counts stay as they were."""
    counts = replace(step.ledger.counts)
    with step.trial():
        gradients = step.gradients(step.losses(at="shared"), rows=False)
        gramian = gradients.gramian()
    step.ledger.counts = counts
    return gradients.tasks, gramian


def describe_gradients(
    tasks: Sequence[str], gramian: Float[Tensor, "k k"], weights: Mapping[str, float]
) -> dict[str, float]:
    """Cosine and magnitude similarity of each pair, share of pairs in conflict, effective share of each task.

    Magnitude similarity is 2 ‖g_i‖‖g_j‖ / (‖g_i‖² + ‖g_j‖²) (Yu et al., NeurIPS 2020, def. 2); the effective share of
    task k is w_k ‖g_k‖ / Σ_j w_j ‖g_j‖ under the weights that the method used on this batch. A zero gradient has
    cosine 0 with everything.
    """
    if not gramian.isfinite().all():
        return {"diagnostics/nonfinite": 1.0}  # a similarity of NaN would look like one
    norms = gramian.diagonal().clamp(min=0).sqrt()
    found: dict[str, float] = {}
    conflicts = 0
    for i, j in combinations(range(len(tasks)), 2):
        product, squares = float(norms[i] * norms[j]), float(gramian[i, i] + gramian[j, j])
        cosine = float(gramian[i, j]) / product if product > 0 else 0.0
        conflicts += cosine < 0
        found[f"{COSINE}{tasks[i]}-{tasks[j]}"] = cosine
        found[f"diagnostics/magnitude_similarity/{tasks[i]}-{tasks[j]}"] = 2 * product / squares if squares > 0 else 1.0
    pairs = len(tasks) * (len(tasks) - 1) // 2
    found["diagnostics/conflicts"] = conflicts / pairs if pairs else 0.0
    felt = {task: abs(weights.get(task, 1.0)) * float(norm) for task, norm in zip(tasks, norms, strict=True)}
    total = sum(felt.values())
    found |= {f"{SHARE}{task}": value / total if total > 0 else 0.0 for task, value in felt.items()}
    return found | {f"diagnostics/weight/{task}": weights.get(task, 1.0) for task in tasks}


def used_weights(ledger: Ledger, names: Sequence[str]) -> dict[str, float]:
    """The weight that reached each task's gradient in the last update (product of weighting and combination)."""
    found = {}
    for task, (first, second, position) in ledger.weights.items():
        factors = [float(vector[position]) for vector in (first, second) if vector is not None]
        found[names[task]] = float(torch.tensor(factors).prod()) if factors else 1.0
    return found


def effective_shares(rows: Iterable[Mapping[str, Any]], tasks: Sequence[str]) -> dict[str, float]:
    """Task → its mean effective share over the probed batches of a history that had a label of it; {} without any.

    Batches with a gradient that is not finite have no shares and are passed over.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        for task in tasks:
            if (share := row.get("diagnostics", {}).get(f"{SHARE}{task}")) is not None:
                found.setdefault(task, []).append(share)
    return {task: fmean(shares) for task, shares in found.items()}


def mean_cosines(rows: Iterable[Mapping[str, Any]], tasks: Sequence[str]) -> list[list[float | None]]:
    """[K][K], symmetric, 1 on the diagonal: the mean cosine of each pair over the probed batches that had both.

    None for a pair that was never probed together; [] without any.
    """
    means = {pair: fmean(cosines) for pair, cosines in probed_cosines(rows, tasks).items()}
    size = range(len(tasks))
    return [[1.0 if i == j else means.get((min(i, j), max(i, j))) for j in size] for i in size] if means else []
