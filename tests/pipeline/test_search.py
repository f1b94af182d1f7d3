"""Searches: what is drawn, from what, and that a search comes back to where it was."""

from typing import Any

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.search import search
from mtl_bench.pipeline.search_space import RATE, as_drawn, space_of, values_at, with_values
from mtl_bench.records.entry import Trial, best_of

PLAIN: dict[str, Any] = {
    "protocol": {"training": {"optimizer": {"lr": 0.01}}},
    "method": {"_target_": "M", "c": 0.4, "kind": "a", "shares": {}, "inner": {"lr": 0.1}},
    "space": {
        "c": {"low": 0.1, "high": 0.9},
        "kind": ["a", "b"],
        "shares": "simplex",
        "inner": {"lr": {"low": 0.001, "high": 0.1, "log": True}},
    },
}
TASKS = ["left", "right", "third"]
SPACE = space_of(PLAIN, TASKS, [0.1, 10])
RANDOM = [0.01, 0.0884, 0.0134, 0.00909, 0.00882]


def worth(values: dict[str, Any]) -> tuple[str, float]:
    """Best at a learning rate of 0.02; low ones diverge."""
    rate = values[RATE]
    return f"run at {rate}", float("-inf") if rate < 0.003 else -abs(rate - 0.02)


def trials(sampler: str = "random", seed: int = 0, count: int = 12, space: dict[str, Any] = SPACE) -> list[Trial]:
    return list(search(worth, values_at(PLAIN, list(space)), space, count, sampler, seed))


def test_the_learning_rate_is_always_searched_and_the_rest_by_its_place() -> None:
    assert list(SPACE) == [RATE, "method.c", "method.kind", "method.shares", "method.inner.lr"]
    assert SPACE[RATE] == {"low": 0.001, "high": 0.1, "log": True}
    assert list(space_of(PLAIN, ["left"], [0.1, 10])) == [RATE]  # one task alone has no method


def test_draws_lie_in_their_space_and_shares_on_the_simplex() -> None:
    first, *others = trials()
    assert first["values"] == {
        RATE: 0.01,
        "method.c": 0.4,
        "method.kind": "a",
        "method.shares": {},
        "method.inner.lr": 0.1,
    }
    for trial in others:
        values = trial["values"]
        assert 0.001 <= values[RATE] <= 0.1
        assert 0.1 <= values["method.c"] <= 0.9
        assert values["method.shares"].keys() == set(TASKS)
        assert sum(values["method.shares"].values()) == pytest.approx(1, abs=0.01)
    assert {trial["values"]["method.kind"] for trial in others} == {"a", "b"}
    assert len({trial["values"][RATE] for trial in others}) == len(others)


def test_shares_are_uniform_on_the_simplex() -> None:
    """Of two tasks the first has a share below a tenth in a tenth of the draws."""
    space = space_of(PLAIN, ["left", "right"], [0.1, 10])
    shares = [trial["values"]["method.shares"]["left"] for trial in trials(count=601, space=space)[1:]]
    assert sum(share < 0.1 for share in shares) / 600 == pytest.approx(0.1, abs=0.04)
    assert sum(share < 0.5 for share in shares) / 600 == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_is_the_same_again_and_longer_ones_begin_with_it(sampler: str) -> None:
    assert trials(sampler) == trials(sampler)
    assert trials(sampler, count=14)[:12] == trials(sampler)
    assert trials(sampler, seed=1)[1:] != trials(sampler)[1:]


def test_tpe_learns_from_the_first_trial_and_after_five() -> None:
    space = {RATE: {"low": 1e-6, "high": 1.0, "log": True}}

    def drawn(sign: int, first: float = 1e-4) -> list[float]:
        found = search(lambda values: ("run", sign * values[RATE]), {RATE: first}, space, 8, "tpe", 0)
        return [trial["values"][RATE] for trial in found]

    high, low, other = drawn(1), drawn(-1), drawn(1, first=1.0)
    assert high[:5] == low[:5]
    assert high[1:5] == other[1:5]
    assert high[5:] != low[5:]
    assert high[5:] != other[5:]  # what is as configured was heard of


def test_only_values_of_the_space_are_told_as_drawn() -> None:
    params, dimensions = as_drawn(values_at(PLAIN, list(SPACE)), SPACE)
    assert params == {RATE: 0.01, "method.c": 0.4, "method.kind": "a", "method.inner.lr": 0.1}
    assert params.keys() == dimensions.keys()
    other = {RATE: 0.01, "method.c": None, "method.kind": "z", "method.shares": {}, "method.inner.lr": 9.0}
    assert as_drawn(other, SPACE)[0] == {RATE: 0.01}


def test_random_draws_are_what_they_were() -> None:
    """Committed searches rest on them."""
    assert [trial["values"][RATE] for trial in trials(count=5)] == RANDOM


def test_random_searches_of_all_spaces_see_the_same_learning_rates() -> None:
    alone = trials(space={RATE: SPACE[RATE]})
    assert [trial["values"][RATE] for trial in alone] == [trial["values"][RATE] for trial in trials()]


def test_the_best_wins_and_what_diverged_never_does() -> None:
    found = trials()
    assert any(trial["score"] is None for trial in found)
    best = best_of(found)
    assert best is not None
    assert found[best]["score"] == max(trial["score"] for trial in found if trial["score"] is not None)
    assert best_of([{"values": {}, "hash": "a", "score": None}]) is None


def test_values_are_written_where_they_belong() -> None:
    changed = with_values(PLAIN, {RATE: 0.5, "method.inner.lr": 0.2})
    assert values_at(changed, [RATE, "method.inner.lr", "method.c"]) == {
        RATE: 0.5,
        "method.inner.lr": 0.2,
        "method.c": 0.4,
    }
    assert PLAIN["method"]["inner"]["lr"] == 0.1


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"d": [1, 2]}, "space.d is searched, and the method has no key d"),
        ({"c": {"low": 1, "high": 0}}, "space.c is {low: …, high: …} with low < high"),
        ({"c": {"low": 0, "high": 1, "log": True}}, "with log: true above 0"),
        ({"c": {"low": 0, "high": 1, "step": 1}}, "space.c is {low"),
        ({"c": {"low": 0, "high": float("inf")}}, "space.c is {low"),
        ({"c": {"low": True, "high": 2}}, "space.c is {low"),
        ({"c": []}, "or a list to choose from"),
        ({"inner": {"lr": "uniform"}}, "space.inner.lr is {low"),
    ],
)
def test_a_space_that_cannot_be_drawn_from(space: dict[str, Any], said: str) -> None:
    with pytest.raises(BenchError, match=said.replace("{", r"\{").replace("(", r"\(")):
        space_of({**PLAIN, "space": space}, TASKS, [0.1, 10])


def test_without_a_learning_rate_there_is_nothing_to_search() -> None:
    with pytest.raises(BenchError, match="Tuning searches around the learning rate"):
        space_of({"protocol": {"training": {"optimizer": {}}}}, ["left"], [0.1, 10])
