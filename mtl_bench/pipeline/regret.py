"""How far ways to choose task groups stay behind the best choice there was, where every group has been trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float

from mtl_bench.errors import BenchError
from mtl_bench.grouping import ChosenGroups, dealt, every_partition, realised_value, select_groups
from mtl_bench.pipeline.trained import Gains
from mtl_bench.results import Interval, holm, mean_interval

BEST, RANDOM = "best", "random"


@dataclass(frozen=True)
class Judged:
    """What one way to choose came to under one budget; gains are in percent, higher better, and means over tasks.

    `choices` is its one choice or, of random groups, every partition into that many groups: all numbers are means over
    them. `gain` is of means over seeds, `regret` [seeds] how much more the best choice gains in each seed.
    `over_random` is the interval of the paired difference to random groups over seeds (None: one seed), `adjusted` its
    p-value by Holm's correction for everything judged together; both are None where nothing is compared: for the best
    and the random choices, and for a budget of one, under which all choices are the same.
    """

    choices: tuple[ChosenGroups, ...]
    gain: float
    regret: Float[np.ndarray, "seeds"]
    over_random: Interval | None
    adjusted: float | None


def judge_choices(
    scores: Mapping[str, Any], gains: Gains, by_seed: Sequence[Gains], budgets: Sequence[int]
) -> dict[tuple[str, int], Judged]:
    """(way to choose, budget) → what it came to, for every way in `scores` and for "best" and "random".

    `scores` maps the name of a way to what `select_groups` takes: a [source, target] matrix, group scores, or gains on
    validation. `gains` and `by_seed` hold the result of every group of tasks, a `Grid`'s `test` and `by_seed`. The
    best choice is made on `gains` themselves, so it is a bound that no honest choice can beat.

    Raises BenchError for a way called "best" or "random", without a seed, for a group without a result, and where
    `select_groups` does.
    """
    if reserved := {BEST, RANDOM} & scores.keys():
        raise BenchError(f"{min(reserved)!r} is compared with anyway; give this way to choose another name.")
    tasks = len({task for group in gains for task in group})
    ways: dict[tuple[str, int], list[ChosenGroups]] = {
        (name, b): [select_groups(given, b)] for name, given in {BEST: gains, **scores}.items() for b in budgets
    }
    ways |= {(RANDOM, b): [dealt(groups) for groups in every_partition(tasks, b)] for b in budgets}
    found = {way: realised_gains(choices, by_seed) for way, choices in ways.items()}
    spans = {
        (name, b): mean_interval((found[name, b] - found[RANDOM, b]).tolist())
        for name in scores
        for b in budgets
        if b > 1
    }
    adjusted = dict(zip(spans, holm([span.p_value if span else 1.0 for span in spans.values()]), strict=True))
    return {
        (name, b): Judged(
            tuple(choices),
            float(realised_gains(choices, [gains])[0]),
            found[BEST, b] - found[name, b],
            spans.get((name, b)),
            adjusted.get((name, b)),
        )
        for (name, b), choices in ways.items()
    }


def realised_gains(choices: Sequence[ChosenGroups], by_seed: Sequence[Gains]) -> Float[np.ndarray, "seeds"]:
    """What a choice, or the mean over several, gained in each seed: percent, mean over tasks.

    Raises BenchError without a seed, and for a group without a result.
    """
    if not by_seed:
        raise BenchError("Gains of at least one seed are needed; got none.")
    return np.array([fmean(realised_value(one, gains) for one in choices) for gains in by_seed])
