"""The Hydra jobs behind `train`, `group` and `prepare`: a composed configuration becomes explicit calls."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

import mtl_bench.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.explain import explain


def hydra_verb(verb: str, arguments: list[str], debug: bool = False) -> None:
    """Hand the arguments to Hydra. User classes are found in the working directory and in --config-dir."""
    wrong = next((a for a in arguments if a.startswith("optimizer=")), None)
    if wrong is not None:
        raise BenchError(
            f"{wrong}: here a method is chosen with method={wrong.partition('=')[2]}; torch's optimizer is "
            "protocol.training.optimizer."
        )
    sys.path[:0] = [os.getcwd(), *_config_dirs(arguments)]
    sys.argv = [f"mtl-bench {verb}", *sorted(arguments, key=_is_override)]  # Hydra wants its flags in one place
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises what it would print, and we say it in one sentence
    # Hydra's help copies its sources, and with them this singleton, twice per config group: 0.8 s of processor time,
    # 0.5 without. Nothing is lost: the store hands out copies of what it holds.
    ConfigStore.__deepcopy__ = lambda store, _: store  # type: ignore[attr-defined]
    failures: list[Exception] = []
    job = _bounded({"train": _train, "group": _group, "prepare": _prepare}[verb], failures, debug)
    hydra.main(version_base="1.3", config_path=str(configs_folder()), config_name=verb)(job)()
    if failures:
        raise failures[0]


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


def _bounded(job: Callable[[DictConfig], None], failures: list[Exception], debug: bool) -> Callable[[DictConfig], None]:
    """A failure ends a single job after Hydra is done with it; in a sweep it is one line, and the sweep goes on."""

    def bounded(config: DictConfig) -> None:
        try:
            job(config)
        except Exception as error:
            if HydraConfig.get().mode != RunMode.MULTIRUN:
                failures.append(error)
                return
            if debug:
                traceback.print_exception(error)
            print(f"mtl-bench: {' '.join(HydraConfig.get().overrides.task)}: {explain(error)}", file=sys.stderr)
            raise CompactHydraException(
                "Not every cell of this sweep finished, see above; the same command runs again only those that did not."
            ) from None

    return bounded


def _train(config: DictConfig) -> None:
    from mtl_bench.job import Job

    plain = _plain(config)
    job = Job.of(plain, _paths(plain))
    only = [plain["only"]] if isinstance(plain["only"], str) else plain["only"]
    tasks = list(plain.get("tasks") or ()) if only is None else only
    if not isinstance(plain["single_task"], bool):  # `no` is text to Hydra, and any text would count as true
        raise BenchError(f"single_task must be true or false, got {plain['single_task']!r}.")
    if plain["single_task"] and len(tasks) > 1:
        for task in tasks:
            job.train(plain["seed"], [task], baseline=True)
    job.train(plain["seed"], only)


def _group(config: DictConfig) -> None:
    from mtl_bench.group import group
    from mtl_bench.job import Job

    plain = _plain(config)
    if any(one.startswith(("seed=", "+seed=")) for one in HydraConfig.get().overrides.task):
        raise BenchError("A grouping is measured and trained with several seeds; give them as seeds=[0,1,2].")
    group(Job.of(plain, _paths(plain)))


def _prepare(config: DictConfig) -> None:
    from mtl_bench.data.dataset import Dataset, prepare
    from mtl_bench.training.build import build

    plain = _plain(config)
    dataset = build(plain.get("dataset") or {}, "dataset", Dataset)
    source = plain["source"]
    if source is not None and not Path(str(source)).is_dir():
        raise BenchError(f"There is no folder {source}; source names the folder with the official files.")
    root = _paths(plain)["data"]
    packed = prepare(dataset, root, None if source is None else Path(str(source)))
    sizes = ", ".join(f"{name} {size}" for name, size in packed.manifest.splits.items())
    print(f"{dataset.name}: {sizes} in {root / 'packed' / dataset.folder_name} (digest {packed.digest[:12]})")


def _plain(config: DictConfig) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))


def _paths(plain: Mapping[str, Any]) -> dict[str, Path]:
    for name, path in plain["paths"].items():
        if not isinstance(path, str) or not path:
            raise BenchError(f"paths.{name} must name a folder, got {path!r}.")
    return {name: Path(path) for name, path in plain["paths"].items()}
