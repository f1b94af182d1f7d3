"""What was typed, as Hydra knows it: names for records, and commands to show."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

IRRELEVANT = ("method", "seed", "only", "single_task", "suite", "logger", "options", "resume")  # to a baseline


def chosen(group: str) -> str:
    return str(HydraConfig.get().runtime.choices.get(group) or "custom")


def method_name(method: Mapping[str, Any], group: str = "method") -> str:
    """The name of the chosen YAML, unless `method._target_` was pointed at another class: then that class's name."""
    name = chosen(group)
    target = str(method.get("_target_", ""))
    for source in HydraConfig.get().runtime.config_sources:
        path = Path(source.path) / "method" / f"{name}.yaml"
        if source.schema == "file" and path.is_file():
            preset = cast(DictConfig, OmegaConf.load(path))
            return name if preset.get("_target_") == target else target.rpartition(".")[2]
    return name


def single_task_command(tasks: Sequence[str]) -> str:
    """The command that trains the single-task baselines of this very setting, whatever was overridden in it."""
    folders = [source.path for source in HydraConfig.get().runtime.config_sources if source.provider == "command-line"]
    typed = HydraConfig.get().overrides.task
    kept = [one for one in typed if one.lstrip("+~").split("=")[0].split(".")[0].split("@")[0] not in IRRELEVANT]
    if (name := HydraConfig.get().runtime.choices.get("experiment")) and f"experiment={name}" not in kept:
        kept = [f"experiment={name}", *kept]
    only = f"only={','.join(f'[{task}]' for task in tasks)}"
    config = [word for folder in folders for word in ("--config-dir", folder)]
    return shlex.join(["mtl-bench", "train", "-m", *config, *kept, only, "seed=0,1,2,3,4"])
