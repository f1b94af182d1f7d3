"""The groups that released matrices imply (spec of TAG, both sets of fixtures), exactly."""

from itertools import combinations

import numpy as np
import pytest
from jaxtyping import Float

from mtl_bench.grouping import ChosenGroups, higher_order_approximation, realised_value, select_groups
from mtl_bench.grouping.scores import GroupScores
from tests.grouping.released import CELEBA, TASKONOMY, Results, affinity, mtgnet, pairwise_losses, standley

CS = "cosine similarity (CS)"


def named(selection: ChosenGroups, tasks: str | tuple[str, ...]) -> dict[str, str]:
    """Group → the tasks that it serves."""
    found = {}
    for number, group in enumerate(selection.groups):
        served = [task for task, serving in zip(tasks, selection.serving, strict=True) if serving == number]
        found[" ".join(tasks[i] for i in group)] = " ".join(served)
    return found


def but(*left_out: str) -> str:
    return " ".join(task for task in CELEBA if task not in left_out)


SAME = "serves all of its tasks"
TAG3 = {"s d": SAME, "d n": "n", "k t": SAME}
FIXTURES = [
    ("TAG", "Taskonomy", 2, {"s d n": SAME, "k t": SAME}, 0.321696),
    ("TAG", "Taskonomy", 3, TAG3, 0.348670),
    ("TAG", "Taskonomy", 4, TAG3, 0.348670),
    (CS, "Taskonomy", 2, {"s d n": SAME, "k t": SAME}, 1.469937),
    (CS, "Taskonomy", 3, {"s d": "s", "d n": SAME, "k t": SAME}, 1.603780),
    ("HOA", "Taskonomy", 2, {"s d n t": SAME, "n k": "k"}, -0.101860),
    ("HOA", "Taskonomy", 3, {"s d n": SAME, "k t": "t", "n k": "k"}, -0.097920),
    ("HOA", "Taskonomy", 4, {"s n": None, "d n": None, "k t": None, "n k": None}, -0.096480),
    ("TAG", "CelebA", 2, {"5oc NoBeard": SAME, but("5oc"): None}, -99.441818),
    (
        "TAG",
        "CelebA",
        3,
        {"5oc NoBeard": None, "Black Brown": SAME, "Black Blond Goatee Mustache NoBeard Rosy Hat": None},
        -92.438427,
    ),
    (CS, "CelebA", 2, {"Goatee Mustache": None, but("Mustache"): None}, 0.966223),
    (CS, "CelebA", 3, {"5oc NoBeard": SAME, "Goatee Mustache": SAME, "Black Blond Brown Rosy Hat": SAME}, 1.309526),
    ("HOA", "CelebA", 2, {"Goatee NoBeard": SAME, but("Goatee", "NoBeard"): SAME}, -6.520370),
    ("HOA", "CelebA", 3, {"Black Brown": SAME, "Goatee NoBeard": None, but("Black", "Brown"): None}, -6.490370),
]


def scores_of(method: str, dataset: str) -> np.ndarray | GroupScores:
    if method == "HOA":
        return higher_order_approximation(*pairwise_losses(dataset))
    return affinity(method, dataset)


@pytest.mark.parametrize(("method", "dataset", "budget", "groups", "value"), FIXTURES)
def test_groups_of_released_matrices(
    method: str, dataset: str, budget: int, groups: dict[str, str | None], value: float
) -> None:
    selection = select_groups(scores_of(method, dataset), budget)
    found = named(selection, TASKONOMY if dataset == "Taskonomy" else CELEBA)
    assert set(found) == set(groups)
    for group, served in groups.items():
        assert served is None or found[group] == (group if served == SAME else served)
    assert round(selection.value, 6) == value


ALL = "sdnkt"
MTGNET = [
    ("trained group", 1, [ALL], 0.034694),
    ("trained group", 2, ["dk", ALL], 0.138752),
    ("trained group", 3, ["sd", "dk", "dnt"], 0.177636),
    ("trained group", 4, ["sd", "dk", "dnt", "dn"], 0.183484),
    ("HOA prediction for group", 1, [ALL], 0.034694),
    ("HOA prediction for group", 2, ["dk", "sdnt"], 0.121660),
    ("HOA prediction for group", 3, ["dn", "dk", "sdt"], 0.167168),
    ("HOA prediction for group", 4, ["sd", "dn", "dk", "dt"], 0.169330),
    ("TAG prediction for group", 1, [ALL], 0.034694),
    ("TAG prediction for group", 2, ["kt", "sdn"], -0.173196),
    ("TAG prediction for group", 3, ["sd", "dn", "kt"], 0.048824),
    ("TAG prediction for group", 4, ["sd", "dn", "kt"], 0.048824),
]


@pytest.mark.parametrize(("kind", "budget", "groups", "realised"), MTGNET)
def test_predictions_scored_with_trained_gains(kind: str, budget: int, groups: list[str], realised: float) -> None:
    predicted = mtgnet(kind, singles="HOA" not in kind)
    selection = select_groups(predicted, budget)
    assert {"".join(TASKONOMY[i] for i in group) for group in selection.groups} == set(groups)
    assert round(realised_value(selection, mtgnet("trained group")), 6) == realised


@pytest.mark.parametrize("setting", ["results", "results_large", "results_small_data"])
@pytest.mark.parametrize("budget", [1, 2, 3, 4, 5])
def test_oracle_hoa_and_worst_choice_on_trained_networks(setting: str, budget: int) -> None:
    """Test losses: the oracle's choice ≤ HOA's ≤ the worst; HOA sees networks of one and two tasks alone."""
    test = {group: [-loss for loss in row] for group, row in standley(f"{setting}_test").items()}
    trained = standley(setting)
    single = np.array([trained[(task,)][0] for task in range(5)])
    pairs = np.full((5, 5), np.nan)
    for (one, other), (loss, loss_of_other) in ((g, row) for g, row in trained.items() if len(g) == 2):
        pairs[one, other], pairs[other, one] = loss, loss_of_other
    oracle = realised_value(select_groups(test, budget), test)
    chosen = realised_value(select_groups(higher_order_approximation(single, pairs), budget), test)
    every = values_of_all_choices(test, budget)
    assert oracle == pytest.approx(every.max(), abs=1e-12)
    assert every.max() >= chosen
    assert chosen > every.min() or budget == 1  # one network for all: there is nothing to choose


def values_of_all_choices(results: Results, budget: int) -> Float[np.ndarray, "choices"]:
    """By brute force: every set of at most `budget` of the groups that covers the tasks, each served by its best."""
    table = np.full((len(results), 5), -np.inf)
    for row, (group, values) in enumerate(results.items()):
        table[row, list(group)] = values
    found = []
    for size in range(1, budget + 1):
        chosen = np.array(list(combinations(range(len(table)), size)))
        found.append(table[chosen].max(axis=1).mean(axis=1))
    values = np.concatenate(found)
    return values[np.isfinite(values)]
