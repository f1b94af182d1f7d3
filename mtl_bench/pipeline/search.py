"""A search: values are drawn, runs say what they are worth, and the best one wins."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

from numpy.random import SeedSequence

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.search_space import Space, as_drawn, values_drawn
from mtl_bench.records.entry import Trial

SAMPLERS = ("random", "tpe")
STARTUP = 5  # trials that tpe sees before it learns: a quarter of the default; a share would redraw longer searches
Run = Callable[[dict[str, Any]], tuple[str, float]]  # values of a trial → hash of its run and score, −∞ if it diverged


def search(run: Run, first: dict[str, Any], space: Space, trials: int, sampler: str, seed: int) -> Iterator[Trial]:
    """The trials, `first` before all that are drawn.

    What is drawn depends on the seed and on the scores before alone, and runs are found again: a search that was killed
    comes back to where it was, with no memory of its own.
    """
    import optuna  # late: a second, and an extra

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    learning = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    study = optuna.create_study(direction="maximize", sampler=learning)
    for number in range(trials):
        if sampler == "random":  # anew for each trial, so that all searches see the same learning rates, drawn first
            study.sampler = optuna.samplers.RandomSampler(int(SeedSequence([seed, number]).generate_state(1)[0]))
        asked = study.ask() if number else None
        values = first if asked is None else values_drawn(asked, space)
        digest, score = run(values)
        if asked is not None:
            study.tell(asked, score)
        elif sampler != "random":
            params, dimensions = as_drawn(values, space)
            study.add_trial(optuna.trial.create_trial(params=params, distributions=dimensions, value=score))
        yield {"values": values, "hash": digest, "score": score if isfinite(score) else None}


def check_optuna() -> None:
    """Raises BenchError where it is missing, before anything is trained."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise BenchError("Tuning needs a package that is missing: pip install 'mtl-bench[tune]'.") from error
