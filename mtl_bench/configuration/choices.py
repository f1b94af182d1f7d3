"""What was typed, read once off Hydra's own node: names for records, and commands to show."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mtl_bench.errors import BenchError

# what makes no difference to a baseline
IRRELEVANT = ("method", "seed", "only", "single_task", "logger", "options", "resume", "objective")

OF_ENTRIES = ("seeds", "budget", "grouping", "top", "share", "conflicts", "plain")  # keys of jobs that end in an entry


@dataclass(frozen=True)
class Choices:
    """`options` maps a config group to the option taken, `folders` hold the YAMLs (`own`: given by --config-dir),
    `typed` are the overrides as typed, and `swept` says whether this is one job of a sweep."""

    options: Mapping[str, str | None]
    folders: tuple[Path, ...]
    own: tuple[str, ...]
    typed: tuple[str, ...]
    swept: bool

    @classmethod
    def of(cls, hydra: Any) -> "Choices":
        """From the `hydra` node of a composed configuration."""
        sources = hydra.runtime.config_sources
        return cls(
            options={str(group): option for group, option in hydra.runtime.choices.items()},
            folders=tuple(Path(source.path) for source in sources if source.schema == "file"),
            own=tuple(source.path for source in sources if source.provider == "command-line"),
            typed=tuple(hydra.overrides.task),
            swept=hydra.mode == RunMode.MULTIRUN,
        )

    def name(self, group: str) -> str:
        """The option taken from a group; `custom` where none was. Raises BenchError for one that names no folder."""
        name, kind = self.options.get(group) or "custom", group.partition("@")[0]
        if "/" in name:
            raise BenchError(
                f"{kind}={name} would name a folder of runs one level too deep; put {name.rpartition('/')[2]}.yaml "
                f"directly below {kind}/ of its --config-dir."
            )
        return name

    def method_name(self, method: Mapping[str, Any], group: str = "method") -> str:
        """The name of the chosen YAML, unless `method._target_` was pointed at another class: then its name."""
        name, target = self.name(group), str(method.get("_target_", ""))
        for path in (folder / "method" / f"{name}.yaml" for folder in self.folders):
            if path.is_file():
                preset = cast(DictConfig, OmegaConf.load(path))
                return name if preset.get("_target_") == target else target.rpartition(".")[2]
        return name

    def single_task_command(self, tasks: Sequence[str]) -> str:
        """The command that trains the single-task baselines of this very setting, whatever was overridden in it."""
        kept = [one for one in self.typed if node_of(one) not in IRRELEVANT + OF_ENTRIES]
        if (name := self.options.get("experiment")) and f"experiment={name}" not in kept:
            kept = [f"experiment={name}", *kept]
        if self.options.get("suite"):  # it may set more than a grid, and of that nothing is left out but the grid
            kept.append("hydra.sweeper.params=null")
        only = f"only={','.join(f'[{task}]' for task in tasks)}"
        config = [word for folder in self.own for word in ("--config-dir", folder)]
        return shlex.join(["mtl-bench", "train", "-m", *config, *kept, only, "seed=0,1,2,3,4"])


def node_of(override: str) -> str:
    """The first part of its key: `method` of `+method@method.weighting=uw`."""
    return override.lstrip("+~").split("=")[0].split(".")[0].split("@")[0]
