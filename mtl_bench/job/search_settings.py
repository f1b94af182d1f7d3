"""What is asked of a search, checked: the same for every method and every task alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mtl_bench.errors import BenchError
from mtl_bench.job.entry_runs import check_seeds
from mtl_bench.pipeline.search import SAMPLERS, check_optuna
from mtl_bench.training.checks import check_seed


@dataclass(frozen=True)
class SearchSettings:
    """As the keys of configs/tune.yaml."""

    trials: int
    epochs: float | None
    rates: list[float]
    sampler: Any
    sampler_seed: int
    seed: int
    seeds: list[int]
    single_seeds: list[int]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "SearchSettings":
        """Raises BenchError for what cannot be, before anything is trained."""
        trials, epochs, rates = plain["trials"], plain["epochs"], plain["rates"]
        if not _whole(trials) or trials < 1:
            raise BenchError(f"trials counts runs of every search, 1 or more; got {trials!r}.")
        if epochs is not None and (not _number(epochs) or epochs <= 0):
            raise BenchError(f"epochs is the budget of a trial, or null for the protocol's own; got {epochs!r}.")
        if not (isinstance(rates, list) and len(rates) == 2 and all(map(_number, rates)) and 0 < rates[0] < rates[1]):
            raise BenchError(f"rates are two multiples of the learning rate, as in rates=[0.1,10]; got {rates!r}.")
        if plain["sampler"] not in SAMPLERS:
            raise BenchError(f"sampler is one of {', '.join(SAMPLERS)}; got {plain['sampler']!r}.")
        if not _whole(plain["sampler_seed"]) or not 0 <= plain["sampler_seed"] < 2**32:
            raise BenchError(f"sampler_seed is a whole number from 0 on; got {plain['sampler_seed']!r}.")
        check_seed(plain["seed"])
        seeds = check_seeds(plain["seeds"])
        single = seeds if plain["single_seeds"] is None else check_seeds(plain["single_seeds"])
        if plain["seed"] in {*seeds, *single}:
            raise BenchError(
                f"seed={plain['seed']} is the trials', and a winner must be judged by others; leave it out of seeds."
            )
        if plain["label"] is not None and not isinstance(plain["label"], str):
            raise BenchError(f"label is the name of a row; got {plain['label']!r}.")
        check_optuna()
        sampler, draws = plain["sampler"], int(plain["sampler_seed"])
        return cls(int(trials), epochs, rates, sampler, draws, plain["seed"], seeds, single)

    @property
    def told(self) -> dict[str, Any]:
        """What rows of one table share."""
        return {
            "trials": self.trials,
            "epochs": self.epochs,
            "rates": self.rates,
            "sampler": self.sampler,
            "sampler_seed": self.sampler_seed,
            "seed": self.seed,
        }

    @property
    def budget(self) -> str:
        return f"{self.trials} trials" + (f" of {self.epochs:g} epochs" if self.epochs is not None else "")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _whole(value: Any) -> bool:
    return _number(value) and value == int(value)
