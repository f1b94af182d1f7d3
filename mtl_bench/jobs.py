"""The Hydra jobs behind `train` and `prepare`: a composed configuration becomes calls with explicit arguments."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtl_bench.configs_folder import configs_folder
from mtl_bench.errors import BenchError


def hydra_verb(verb: str, arguments: list[str]) -> None:
    """Hand the arguments to Hydra. User classes are found in the working directory and in --config-dir."""
    wrong = next((a for a in arguments if a.startswith("optimizer=")), None)
    if wrong is not None:
        raise BenchError(
            f"{wrong}: here a method is chosen with method={wrong.partition('=')[2]}; torch's optimizer is "
            "protocol.training.optimizer."
        )
    sys.path[:0] = [os.getcwd(), *_config_dirs(arguments)]
    sys.argv = [f"mtl-bench {verb}", *arguments]
    job = {"train": _train, "prepare": _prepare}[verb]
    hydra.main(version_base="1.3", config_path=str(configs_folder()), config_name=verb)(_bounded(job))()


def _config_dirs(arguments: list[str]) -> list[str]:
    found = []
    for i, argument in enumerate(arguments):
        if argument in ("--config-dir", "-cd") and i + 1 < len(arguments):
            found.append(os.path.abspath(arguments[i + 1]))
        elif argument.startswith("--config-dir="):
            found.append(os.path.abspath(argument.partition("=")[2]))
    return found


def _bounded(job: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Our errors become Hydra's compact ones, so that a failing cell prints one sentence and a sweep goes on."""

    def bounded(config: DictConfig) -> None:
        try:
            job(config)
        except (BenchError, OmegaConfBaseException) as error:
            sentence = f"mtl-bench: {' '.join(str(error).split())}"
            if HydraConfig.get().mode == RunMode.MULTIRUN:  # Hydra shows the first failure only, at the very end
                print(sentence, file=sys.stderr)
            raise CompactHydraException(sentence) from error

    return bounded


def _train(config: DictConfig) -> None:
    from mtl_bench.records.lock import RunLocked
    from mtl_bench.summary import show_run
    from mtl_bench.training.assemble import Place
    from mtl_bench.training.build import build
    from mtl_bench.training.cell import run_cell
    from mtl_bench.training.loggers import Guarded, Logger
    from mtl_bench.training.plan import NODES, Names, make_plan
    from mtl_bench.training.trainer import Options

    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    paths = {name: Path(path) for name, path in plain["paths"].items()}
    place = Place(paths["runs"], plain["device"], plain["threads"], plain["deterministic"], plain["resume"])
    logger = Guarded(build(plain["logger"], "logger", Logger))
    summary: Mapping[str, float] = {}
    try:
        names = Names(_chosen("experiment"), _method_name(plain["method"]))
        plan = make_plan(names, {name: plain[name] for name in NODES}, plain["seed"], plain["only"], paths["data"])
        outcome = run_cell(plan, place, build(plain["options"], "options", Options), logger)
        summary = show_run(outcome, [paths["runs"], paths["reference"]])
    except RunLocked as error:
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            raise
        print(f"{error} Left alone.")  # another process of the same sweep is on it
    finally:
        logger.finish(summary)


def _prepare(config: DictConfig) -> None:
    from rich import print as show

    from mtl_bench.data.dataset import Dataset, prepare
    from mtl_bench.training.build import build

    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    dataset = build(plain["dataset"], "dataset", Dataset)
    source = plain["source"]
    if source is not None and not Path(source).is_dir():
        raise BenchError(f"There is no folder {source}; source names the folder with the official files.")
    root = Path(plain["paths"]["data"])
    packed = prepare(dataset, root, None if source is None else Path(source))
    sizes = ", ".join(f"{name} {size}" for name, size in packed.manifest.splits.items())
    show(f"{dataset.name}: {sizes} in {root / 'packed' / dataset.folder_name} (digest {packed.digest[:12]})")


def _chosen(group: str) -> str:
    return str(HydraConfig.get().runtime.choices.get(group) or "custom")


def _method_name(method: Mapping[str, Any]) -> str:
    """The name of the chosen YAML, unless `method._target_` was pointed at another class: then that class's name."""
    name = _chosen("method")
    target = str(method.get("_target_", ""))
    for source in HydraConfig.get().runtime.config_sources:
        path = Path(source.path) / "method" / f"{name}.yaml"
        if source.schema == "file" and path.is_file():
            preset = cast(DictConfig, OmegaConf.load(path))
            return name if preset.get("_target_") == target else target.rpartition(".")[2]
    return name
