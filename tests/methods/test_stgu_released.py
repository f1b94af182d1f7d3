"""STGU against its specification: partitions of random matrices, and a whole run against the released loop restated.

The restatement uses torch, NumPy and scikit-learn alone. Only the random draws are taken in our order.
"""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from jaxtyping import Float
from sklearn.cluster import AffinityPropagation
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.methods.clustering import depends_on_state
from mtl_bench.methods.stgu import STGU, STGUCausal, affinity_groups
from tests.methods.toys import Toy, toy

WARMUP, BATCHES, DECAY = 20, 80, 0.05


def released_normalisation(affinity: Float[Tensor, "K K"]) -> Float[Tensor, "K K"]:
    """Each column in place by a view of its own diagonal entry, as the release does."""
    normalised = affinity.clone()
    for task in range(len(affinity)):
        normalised[:, task] /= normalised[task, task]
    return normalised


def whole_columns(affinity: Float[Tensor, "K K"]) -> Float[Tensor, "K K"]:
    return affinity / affinity.diagonal().clone()


def message_passing(similarity: Float[np.ndarray, "K K"], seed: int) -> list[list[int]] | None:
    """Affinity propagation (Frey and Dueck 2007), entry by entry; noise and end as in scikit-learn."""
    K = len(similarity)
    apart = [similarity[i, k] for i in range(K) for k in range(K) if i != k]
    preference = float(np.median(similarity))
    if max(apart) == min(apart):
        return [[task] for task in range(K)] if preference > apart[0] else [list(range(K))]
    s = similarity.copy()
    np.fill_diagonal(s, preference)
    noise = np.random.RandomState(seed).standard_normal((K, K))
    s += (np.finfo(float).eps * s + np.finfo(float).tiny * 100) * noise
    r, a, window = np.zeros((K, K)), np.zeros((K, K)), []
    for iteration in range(200):
        new = np.array(
            [[s[i, k] - max(a[i, j] + s[i, j] for j in range(K) if j != k) for k in range(K)] for i in range(K)]
        )
        r = 0.5 * r + 0.5 * new
        new = np.zeros((K, K))
        for k in range(K):
            for i in range(K):
                helpers = sum(max(0.0, r[j, k]) for j in range(K) if j not in (i, k))
                new[i, k] = helpers if i == k else min(0.0, r[k, k] + helpers)
        a = 0.5 * a + 0.5 * new
        exemplar = [bool(r[k, k] + a[k, k] > 0) for k in range(K)]
        window = [*window, exemplar][-50:]
        if iteration >= 50 and any(exemplar) and all(each == exemplar for each in window):
            break
    exemplars = [k for k in range(K) if exemplar[k]]
    if not exemplars:
        return None  # as no run here does

    def members() -> list[list[int]]:
        closest = [i if i in exemplars else max(exemplars, key=lambda k: s[i, k]) for i in range(K)]
        return [[i for i in range(K) if closest[i] == k] for k in exemplars]

    exemplars = [max(group, key=lambda k: sum(s[i, k] for i in group)) for group in members()]
    return sorted(members())


def random_affinity(draw: np.random.Generator, tasks: int) -> Float[np.ndarray, "K K"]:
    """Positive self-affinities, and effects of both signs about as large."""
    affinity = draw.normal(0.1, 0.2, (tasks, tasks))
    np.fill_diagonal(affinity, draw.uniform(0.05, 0.6, tasks))
    return affinity


@pytest.mark.parametrize(
    ("name", "normalise"),
    [("released", released_normalisation), ("columns", whole_columns)],
    ids=["released", "columns"],
)
@pytest.mark.parametrize("tasks", [3, 4, 5, 11])
def test_partitions_are_those_of_the_definition(tasks: int, name: str, normalise: Callable[[Tensor], Tensor]) -> None:
    """50 matrices of each size, 200 in all, by each normalisation; the two must not be one."""
    draw, other = np.random.default_rng(tasks), 0
    for seed in range(50):
        affinity = random_affinity(draw, tasks)
        normalised = normalise(torch.from_numpy(affinity)).numpy()
        expected = message_passing((normalised + normalised.T) / 2, seed)
        found = affinity_groups(affinity, normalise=name, random_state=seed)  # type: ignore[arg-type]
        assert found == expected, (seed, affinity)
        assert found == affinity_groups(torch.from_numpy(affinity), name, seed)  # type: ignore[arg-type]
        opposite = "columns" if name == "released" else "released"
        other += found != affinity_groups(affinity, opposite, seed)  # type: ignore[arg-type]
    assert other > 5


def test_what_has_no_partition() -> None:
    affinity = random_affinity(np.random.default_rng(0), 4)
    for value in (0.0, -0.1, np.nan):
        without = affinity.copy()
        without[2, 2] = value
        assert affinity_groups(without) is None
    unknown = affinity.copy()
    unknown[0, 1] = np.inf
    assert affinity_groups(unknown) is None
    tiny = affinity.copy()
    tiny[1, 1] = 1e-320
    assert affinity_groups(tiny) is None
    with pytest.raises(BenchError, match=r"square matrix.*\(2, 3\)"):
        affinity_groups(np.ones((2, 3)))
    with pytest.raises(BenchError, match="normalise is one of released, columns; got 'rows'"):
        affinity_groups(affinity, normalise="rows")  # type: ignore[arg-type]


def test_a_tie_depends_on_the_random_state() -> None:
    """With three tasks the median of the similarities is one of them: whether that pair joins is up to the noise."""
    tied = np.array([[1.0, 0.8, 0.1], [0.8, 1.0, 0.1], [0.1, 0.1, 1.0]])
    clear = np.array([[1.0, 0.8, 0.1], [0.8, 1.0, 0.7], [0.1, 0.7, 1.0]])
    assert {str(affinity_groups(tied, "columns", state)) for state in range(10)} > {"[[0, 1], [2]]"}
    assert depends_on_state(tied, "columns")
    assert not depends_on_state(clear, "columns", preference=0.0)
    assert affinity_groups(clear, "columns", preference=0.0) == [[0, 1, 2]]


def released_loop(
    problem: Toy, optimizer: type[torch.optim.Optimizer], causal: bool
) -> tuple[Float[Tensor, "P"], Float[Tensor, "K K"], list[list[list[int]]]]:
    """Spec §2.3 to §2.6 on a copy of the toy's network: weights, affinities, groups in the order of their visits.

    `causal` credits the group whose step caused a change, divides whole columns and lets other heads rest.
    """
    model, tasks = deepcopy(problem.machine.model), problem.machine.tasks
    update = optimizer(model.parameters(), lr=0.01, foreach=False)
    generator = torch.Generator().manual_seed(2)
    affinity, partition = torch.zeros(3, 3, dtype=torch.float64), [[0], [1], [2]]
    visited = []
    for batch in range(BATCHES):
        if batch > WARMUP:
            state = int(torch.randint(2**31, (), generator=generator))
            if (affinity.diagonal() > 0).all():
                normalised = (whole_columns if causal else released_normalisation)(affinity)
                partition = _clustered(((normalised + normalised.T) / 2).numpy(), state) or partition
        groups = [partition[i] for i in torch.randperm(len(partition), generator=generator).tolist()]
        groups = groups * 2 if len(partition) == 1 else groups
        visited.append(groups)
        previous: Tensor | None = None
        before: list[int] = []
        for group in groups:
            losses = _losses(model, tasks, problem.batches[batch % 4])
            update.zero_grad(set_to_none=causal)
            torch.stack(
                [losses[task] for task in group]
            ).sum().backward()  # other heads: no gradient, or the zeros left
            update.step()
            now = torch.stack(losses).detach()
            if previous is not None:
                _credit(affinity, before if causal else group, now, previous)
            previous, before = now, group
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]), affinity, visited


def _clustered(similarity: Float[np.ndarray, "K K"], state: int) -> list[list[int]] | None:
    found = AffinityPropagation(
        affinity="precomputed", convergence_iter=50, preference=np.median(similarity), random_state=state
    ).fit(similarity)
    if -1 in found.labels_:
        return None
    return sorted(np.flatnonzero(found.labels_ == label).tolist() for label in set(found.labels_.tolist()))


def _losses(model: nn.Module, tasks: dict, batch: object) -> list[Tensor]:
    features = model.encode(batch.image)  # type: ignore[attr-defined, operator]
    terms = []
    for k, (name, task) in enumerate(tasks.items()):
        total, count = task.loss(model.decode(features, k), batch.targets[name])  # type: ignore[attr-defined, operator]
        terms.append(total / count)
    return terms


def _credit(affinity: Tensor, group: list[int], now: Tensor, before: Tensor) -> None:
    def move(source: int, target: int, change: Tensor) -> None:
        affinity[source, target] = (1 - DECAY) * affinity[source, target] + DECAY * change

    change = (1 - now / before) / len(group)
    for source in group:
        for target in range(len(now)):
            if target not in group:
                move(source, target, change[target])
            elif target == source:
                if change[source] >= 0:
                    move(source, source, change[source])
            elif change[source] * change[target] >= 0:
                move(source, target, change[target])
            else:
                move(source, target, -torch.maximum(change[source], change[target]))


@pytest.mark.filterwarnings("ignore:All samples have mutually equal", "ignore:Affinity propagation did not converge")
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("kind", [STGU, STGUCausal])
def test_a_whole_run_is_the_released_loop(optimizer: type[torch.optim.Optimizer], kind: type[STGU]) -> None:
    """80 batches, 20 of warm-up: every group of every visit, affinities to 1e-14 and weights to 1e-12."""
    problem = toy("adam", torch.float64)
    problem.machine.mover.optimizer = optimizer(problem.machine.model.parameters(), lr=0.01, foreach=False)
    weights, affinity, visits = released_loop(problem, optimizer, causal=kind is STGUCausal)
    method = kind(decay=DECAY, warmup=WARMUP)
    method.setup(problem.context)
    for batch, expected in enumerate(visits):
        step = problem.step(batch)
        found: list[list[int]] = []
        taken = step.losses
        step.losses = lambda grad, taken=taken, found=found: found.append(grad) or taken(grad=grad)  # type: ignore
        method.update(step)
        assert found == expected, batch
    np.testing.assert_allclose(method.tracker.matrix, affinity.numpy(), rtol=0, atol=1e-14)
    torch.testing.assert_close(problem.parameters, weights, rtol=0, atol=1e-12)
    assert len({str(sorted(groups)) for groups in visits}) > 2, "the groups must change for this to mean anything"
