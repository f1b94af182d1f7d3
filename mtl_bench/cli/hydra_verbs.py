"""The Hydra jobs behind the verbs that take a configuration: what was composed becomes explicit calls."""

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

import mtl_bench.configuration.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.cli.explain import explain
from mtl_bench.cli.sweep import Ended, Sweep
from mtl_bench.configuration.choices import Choices
from mtl_bench.configuration.configs_folder import configs_folder, option_groups
from mtl_bench.configuration.plain import paths_of, plain_of
from mtl_bench.errors import BenchError
from mtl_bench.records.identity import canonical_text

if TYPE_CHECKING:
    from mtl_bench.job import Job
    from mtl_bench.records.folder import RunFolder
    from mtl_bench.records.reading import Readings

Task = Callable[[DictConfig, Choices], Ended | None]
MINIMISING = {  # how a sweeper says that it minimises, which most do unless told otherwise: how to tell it
    ("direction", "minimize"): "direction=maximize",  # Optuna
    ("ax_config.experiment.minimize", True): "ax_config.experiment.minimize=false",
    ("optim.maximize", False): "optim.maximize=true",  # Nevergrad
}


def hydra_verb(verb: str, arguments: list[str], debug: bool = False) -> None:
    """Hand the arguments to Hydra. User classes are found in the working directory and in --config-dir."""
    if verb == "tune":
        arguments = _sweeping(arguments)
    jobs = {"train": _train, "group": _group, "recon": _recon, "tune": _tune, "prepare": _prepare, "cost": _cost}
    sweep = Sweep(trains=verb == "train")
    try:
        _run(verb, jobs[verb], arguments, debug, sweep)
    finally:  # a launcher that broke down does not take the word of those that ended before with it
        sweep.tell()
    sweep.check()


def cells_of_sweep(arguments: list[str], debug: bool = False) -> dict["RunFolder", "Readings"]:
    """Where the runs of a sweep lie or would lie, baselines first, and how they are read off; nothing is trained, and
    no data are needed: what those hold that are not packed here is taken from the records."""
    found: dict[tuple[str, int, str], tuple[RunFolder, Readings]] = {}
    from mtl_bench.cli.recorded_contents import Contents

    contents = Contents()

    def collect(config: DictConfig, choices: Choices) -> None:
        job = _job(config, choices, "train")
        for plan in replace(job, digest=contents.of(job)).plans():
            folder = plan.folder(Path(config.paths.runs))
            once = canonical_text(plan.readings) if plan.single else folder.experiment  # as `train` finds them again
            found.setdefault((plan.hash, plan.seed, once), (folder, plan.readings))

    sweep = Sweep()
    with TemporaryDirectory() as nowhere:  # a sweep leaves a file of its own
        _run("train", collect, [*arguments, f"hydra.sweep.dir={nowhere}", "hydra/launcher=basic"], debug, sweep)
    sweep.check("Not every cell of this sweep can be trained, see above.")
    contents.tell()
    return dict(found.values())


def _run(verb: str, task: Task, arguments: list[str], debug: bool, sweep: Sweep) -> None:
    _check_form(arguments)
    # Hydra wants a plus before a group that no configuration chooses from by default, as all others do.
    arguments = [f"+{one}" if one.startswith("suite=") else one for one in arguments]
    places = [os.getcwd(), *_config_dirs(arguments)]
    sys.path[:0] = places
    sys.argv = [f"mtl-bench {verb}", *sorted(arguments, key=_is_override)]  # Hydra wants its flags in one place
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises what it would print, and we say it in one sentence
    # Hydra's help copies its sources, and with them this singleton, twice per config group: 0.8 s of processor time,
    # 0.5 without. Nothing is lost: the store hands out copies of what it holds.
    ConfigStore.__deepcopy__ = lambda store, _: store  # type: ignore[attr-defined]
    failures: list[Exception] = []
    job = _bounded(task, places, failures, debug, sweep)
    with sweep.watched():
        hydra.main(version_base="1.3", config_path=str(configs_folder()), config_name=verb)(job)()
    if failures:
        raise failures[0]


def _check_form(arguments: list[str]) -> None:
    """Two habits from elsewhere: a method as the optimizer, and keys with dashes."""
    for argument in arguments:
        key, _, value = argument.removeprefix("--").partition("=")
        if argument.startswith("optimizer="):
            raise BenchError(
                f"{argument}: here a method is chosen with method={value}; torch's optimizer is "
                "protocol.training.optimizer."
            )
        if argument.startswith("--") and key in ("seed", *option_groups()):
            raise BenchError(f"{argument}: keys have no dashes here; write {key}={value or '…'}.")


def _sweeping(arguments: list[str]) -> list[str]:
    """`method=ls,uw` without -m: who tunes one method alone compares nothing."""
    flags = {argument for argument in arguments if argument.startswith("-")}
    if not flags.isdisjoint({"-m", "--multirun", "-c", "--cfg", "-i", "--info", "-h", "--help"}):
        return arguments
    typed = OverridesParser.create().parse_overrides(list(filter(_is_override, arguments)))
    return ["-m", *arguments] if any(one.is_sweep_override() for one in typed) else arguments


def _config_dirs(arguments: list[str]) -> list[str]:
    found = []
    for i, argument in enumerate(arguments):
        if argument in ("--config-dir", "-cd") and i + 1 < len(arguments):
            found.append(os.path.abspath(arguments[i + 1]))
        elif argument.startswith("--config-dir="):
            found.append(os.path.abspath(argument.partition("=")[2]))
    return found


def _is_override(argument: str) -> bool:
    return argument.startswith("~") or ("=" in argument and not argument.startswith("-"))


def _bounded(
    job: Task, places: list[str], failures: list[Exception], debug: bool, sweep: Sweep
) -> Callable[[DictConfig], Ended | None]:
    """A failure ends a single job after Hydra is done with it; in a sweep it is one line, and the sweep goes on."""

    def bounded(config: DictConfig) -> Ended | None:
        sys.path[:0] = [place for place in places if place not in sys.path]  # of a launcher's fresh process
        choices = Choices.of(HydraConfig.get())  # here Hydra ends
        try:
            _check_swept(choices)
            if sweep.alone:
                _job(config, choices, "train").train_baselines()
                return None
            return job(config, choices) or Ended()
        except Exception as error:
            if sweep.alone:
                return None
            if not choices.swept:
                failures.append(error)
                return None
            if debug:
                traceback.print_exception(error)
            why = explain(error)
            print(f"mtl-bench: {' '.join(choices.typed)}: {why}", file=sys.stderr)
            return Ended("failed", why=why)

    return bounded


def _check_swept(choices: Choices) -> None:
    """The grid of a suite stands in Hydra's node, which a single job never reads."""
    if (suite := choices.options.get("suite")) and not choices.swept:
        raise BenchError(f"suite={suite} is a sweep, of which one job would train a single run; add -m.")


def _train(config: DictConfig, choices: Choices) -> Ended:
    """What a sweeper gets: the validation score of the cell that `objective` names, higher better.

    In a sweep a run that was given up is −∞ and one line, so that a search goes on: its record is there, and the same
    command would not train it again. No score for a cell that another process trains.
    """
    from mtl_bench.records.lock import RunLocked
    from mtl_bench.training.trainer import Diverged

    job = _job(config, choices, "train")
    _check_direction(HydraConfig.get().sweeper)
    try:
        outcome = job.run()
        return Ended("finished already" if outcome.skipped else "finished", job.score(outcome.record))
    except RunLocked as error:
        if not choices.swept:
            raise
        print(f"{error} Left alone.")  # another process of the same sweep is on it
        return Ended("left to another process")
    except Diverged as error:
        if not choices.swept:
            raise
        print(f"mtl-bench: {' '.join(choices.typed)}: {error}", file=sys.stderr)
        return Ended("given up", -inf, str(error))


def _job(config: DictConfig, choices: Choices, verb: str) -> "Job":
    from mtl_bench.job import Job

    return Job.of(plain_of(config, verb), choices)


def _check_direction(sweeper: DictConfig) -> None:
    for (key, minimises), instead in MINIMISING.items():
        value = OmegaConf.select(sweeper, key)
        if getattr(value, "name", value) == minimises:
            raise BenchError(f"A score is better high, and this sweeper minimises; add hydra.sweeper.{instead}.")


def _group(config: DictConfig, choices: Choices) -> None:
    from mtl_bench.job.task_groups import group

    _check_typed(choices, "A grouping is")
    group(_job(config, choices, "group"))


def _recon(config: DictConfig, choices: Choices) -> None:
    from mtl_bench.job.recon import recon

    _check_typed(choices, "Layers are")
    recon(_job(config, choices, "recon"))


def _tune(config: DictConfig, choices: Choices) -> None:
    from mtl_bench.job.tune import tune

    if any(one.lstrip("+").startswith(("objective=", "single_task=")) for one in choices.typed):
        raise BenchError("Tuning has one score, the validation Δm by task, and always tunes single-task runs as well.")
    tune(_job(config, choices, "tune"))


def _check_typed(choices: Choices, what: str) -> None:
    if any(one.lstrip("+").startswith("objective=") for one in choices.typed):
        raise BenchError("objective is what a sweeper asks of one training, and nothing here reads it; leave it out.")
    if any(one.lstrip("+").startswith("seed=") for one in choices.typed):
        raise BenchError(f"{what} measured and trained with several seeds; give them as seeds=[0,1,2].")


def _prepare(config: DictConfig, choices: Choices) -> None:
    from mtl_bench.cli.preparation import prepare_as_asked

    plain = plain_of(config, "prepare")
    prepare_as_asked(plain, paths_of(plain)["data"])


def _cost(config: DictConfig, _: Choices) -> None:
    from mtl_bench.cli.cost_table import cost_as_asked

    cost_as_asked(plain_of(config, "cost"))
