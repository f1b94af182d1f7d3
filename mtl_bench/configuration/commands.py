"""What to type so that a configuration is trained again, from what its record keeps of it."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import mtl_bench.configuration.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.configuration.configs_folder import configs_folder

NODES = ("dataset", "tasks", "model", "protocol")  # what an experiment sets
WORD = re.compile(r"(?!(?:null|true|false|yes|no|on|off|nan|inf)$)[A-Za-z_][\w./\-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Trained:
    """One run: the names and the configuration that its records keep, and its seeds."""

    experiment: str
    method: str
    config: Mapping[str, Any]
    seeds: tuple[int, ...]


def train_commands(runs: Sequence[Trained]) -> list[str] | None:
    """One line for all runs that differ in their tasks alone; None where an experiment or a method has no YAML here."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        words = _words(run)
        if words is None:
            return None
        only, *rest = words
        lines.setdefault(tuple(rest), []).append(only)
    return [_line(rest, [only for only in tasks if only]) for rest, tasks in lines.items()]


def _line(words: Sequence[str], tasks: Sequence[str]) -> str:
    swept = len(tasks) > 1 or "," in words[-1]
    only = [f"only={','.join(tasks)}"] if tasks else []
    return shlex.join(["mtl-bench", "train", *(["-m"] if swept else []), *words[:-1], *only, words[-1]])


def _words(run: Trained) -> list[str] | None:
    """Its tasks (empty: all), then what is typed, the seeds last."""
    preset = _experiment(run.experiment)
    alone = len(run.config.get("only", ())) == 1  # its method is inert
    method = {} if alone else _method(run.method)
    if preset is None or method is None:
        return None
    changes = [change for node in NODES for change in _changes(run.config.get(node), preset.get(node), node)]
    if not alone:
        changes += _changes(run.config.get("method"), method, "method")
    only = list(run.config.get("only", ()))
    tasks = "" if only == list(preset["tasks"]) else _text(only)
    chosen = [f"experiment={run.experiment}", *([] if alone else [f"method={run.method}"])]
    return [tasks, *chosen, *changes, f"seed={','.join(map(str, run.seeds))}"]


def _changes(value: Any, preset: Any, place: str) -> Iterator[str]:
    """Overrides that turn the preset into the value. A key that the value lacks is one that a YAML learned later, with
    what was the default all along; another class has other keys."""
    if not isinstance(value, Mapping) or not isinstance(preset, Mapping):
        if value != preset:
            yield f"{place}={_text(value)}"
        return
    for key in preset:
        if key not in value and value.get("_target_") != preset.get("_target_"):
            yield f"~{place}.{key}"
    for key, part in value.items():
        if key in preset:
            yield from _changes(part, preset[key], f"{place}.{key}")
        else:
            yield f"+{place}.{key}={_text(part)}"


def _text(value: Any) -> str:
    """As Hydra's grammar of overrides reads it back."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return value if WORD.fullmatch(value) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case Mapping():
            return f"{{{','.join(f'{key}:{_text(part)}' for key, part in value.items())}}}"
        case list() | tuple():
            return f"[{','.join(map(_text, value))}]"
    return repr(value)


@cache
def _experiment(name: str) -> dict[str, Any] | None:
    try:
        with initialize_config_dir(str(configs_folder()), version_base="1.3"):
            config = compose("train", overrides=[f"experiment={name}"])
        return {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES if node in config}
    except (HydraException, OmegaConfBaseException):
        return None


@cache
def _method(name: str) -> dict[str, Any] | None:
    path = configs_folder() / "method" / f"{name}.yaml"
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(path), resolve=True)) if path.is_file() else None
