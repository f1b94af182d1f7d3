"""What to type so that a configuration is trained again, from what its record keeps of it."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import mtl_bench.configuration.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.configuration.configs_folder import configs_folder

NODES = ("dataset", "tasks", "model", "method", "protocol")
GROUPS = ("dataset", "model", "method")  # of which another preset may have been chosen than the experiment's
WORD = re.compile(r"(?!(?:null|true|false|yes|no|on|off|nan|inf)$)[A-Za-z_][\w./\-]*", re.IGNORECASE | re.ASCII)
KEY = re.compile(r"[A-Za-z_][\w\-]*|\d+", re.ASCII)  # behind a dot; in a map Hydra reads others too, 5_o_Clock_Shadow
ESCAPED = re.compile(r"(\\*)('|\Z)")  # backslashes that Hydra reads as escapes: those before a quote, and the last ones


@dataclass(frozen=True)
class KeptRun:
    """One run: the names and the configuration that its records keep, and its seeds."""

    experiment: str
    method: str
    config: Mapping[str, Any]
    seeds: tuple[int, ...]


def train_commands(runs: Sequence[KeptRun]) -> list[str] | None:
    """One line for all runs that differ in their tasks alone; None where the experiment of one has no YAML here."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        words = train_words(run)
        if words is None:
            return None
        only, *rest = words
        lines.setdefault(tuple(rest), []).append(only)
    return [_line(rest, [only for only in tasks if only]) for rest, tasks in lines.items()]


def _line(words: Sequence[str], tasks: Sequence[str]) -> str:
    swept = len(tasks) > 1 or "," in words[-1]
    only = [f"only={','.join(tasks)}"] if tasks else []
    return shlex.join(["mtl-bench", "train", *(["-m"] if swept else []), *words[:-1], *only, words[-1]])


def train_words(run: KeptRun, config_dirs: Sequence[Path] = ()) -> list[str] | None:
    """Its tasks (empty: all), then what is typed, the seeds last; None where its experiment has no YAML, or its
    configuration is not whole.

    `config_dirs` hold YAMLs of one's own. What has none, such as a method of one's own, is written out.
    """
    if not is_whole(run.config):
        return None
    folders, only = (configs_folder(), *config_dirs), list(run.config["only"])
    nodes = _nodes(only)
    words: tuple[str, ...] = (f"experiment={run.experiment}",)
    if _composed(words, folders) is None:
        return None
    for group in GROUPS:
        if group in nodes and (option := _option(group, run, words, folders)):
            words = (*words, f"{group}={option}")
    preset = _preset(words, folders)
    tasks = "" if only == list(preset["tasks"]) else hydra_text(only)
    changes = [change for node in nodes for change in _changes(run.config[node], preset.get(node), node)]
    return [tasks, *words, *changes, f"seed={','.join(map(str, run.seeds))}"]


def is_whole(config: Mapping[str, Any]) -> bool:
    """Whether a record holds all that its command says; those of another hand may not."""
    only = config.get("only")
    return isinstance(only, list) and all(isinstance(config.get(node), Mapping) for node in _nodes(only))


def _nodes(only: Sequence[str]) -> list[str]:
    return [node for node in NODES if node != "method" or len(only) > 1]  # the method of a task alone is inert


def method_node(experiment: str, method: str) -> Mapping[str, Any] | None:
    """A method's node as composed with an experiment; None where one of them has no YAML here."""
    words, folders = (f"experiment={experiment}", f"method={method}"), (configs_folder(),)
    known = any(path.stem == method for path in _presets("method", folders))
    return _preset(words, folders).get("method") if known and _composed(words[:1], folders) else None


def searching(config_dirs: Sequence[Path]) -> list[str]:
    """The override that stands for `--config-dir` where a job is composed from Python."""
    found = ",".join(f"file://{folder.resolve()}" for folder in config_dirs)
    return [f"hydra.searchpath=[{found}]"] if found else []


def _option(group: str, run: KeptRun, words: tuple[str, ...], folders: tuple[Path, ...]) -> str | None:
    """The preset from which least was changed: that of the run's name, else one of its class; None: as it is."""
    node = run.config[group]
    alike = [path.stem for path in _presets(group, folders) if _loaded(path).get("_target_") == node.get("_target_")]
    if group == "method" and run.method in alike:
        return run.method
    usual = _preset(words, folders).get(group, {})
    near: dict[str | None, int] = {}
    if usual.get("_target_") == node.get("_target_"):
        near[None] = len(list(_changes(node, usual, group)))
    if near.get(None) != 0:
        for name in alike:
            near[name] = len(list(_changes(node, _preset((*words, f"{group}={name}"), folders).get(group), group)))
    return min(near, key=lambda name: near[name], default=None)  # the first of several that are as near


def _presets(group: str, folders: tuple[Path, ...]) -> list[Path]:
    return [path for folder in folders for path in sorted((folder / group).glob("*.yaml"))]


def _preset(words: tuple[str, ...], folders: tuple[Path, ...]) -> dict[str, Any]:
    """As composed. A method's YAML that stands alone is read instead: pages ask for forty on every experiment."""
    *rest, last = words
    if not last.startswith("method="):
        return _composed(words, folders) or {}
    path = next(path for path in _presets("method", folders) if path.stem == last.removeprefix("method="))
    if "defaults" in _loaded(path):
        return _composed(words, folders) or {}
    return {**(_composed(tuple(rest), folders) or {}), "method": _loaded(path)}


@cache
def _loaded(path: Path) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(path)))


@cache
def _composed(words: tuple[str, ...], folders: tuple[Path, ...]) -> dict[str, Any] | None:
    """Not to be changed by who gets it; None for what cannot be composed."""
    try:
        with initialize_config_dir(str(folders[0]), version_base="1.3"):
            config = compose("train", overrides=[*searching(folders[1:]), *words])
        return {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES if node in config}
    except (HydraException, OmegaConfBaseException):
        return None


def _changes(value: Any, preset: Any, place: str) -> Iterator[str]:
    """Overrides that turn the preset into the value."""
    if not isinstance(value, Mapping) or not isinstance(preset, Mapping):
        if value != preset or isinstance(value, bool) != isinstance(preset, bool):
            yield f"{place}={hydra_text(value)}"
        return
    missing = [key for key in preset if key not in value]
    if missing and "_target_" in preset and preset["_target_"] == value.get("_target_"):
        missing = [key for key in missing if _tells(preset, key)]
    below = {
        key: list(_changes(part, preset[key], f"{place}.{key}"))
        if key in preset
        else [f"+{place}.{key}={hydra_text(part)}"]
        for key, part in value.items()
    }
    changed = [*missing, *(key for key, found in below.items() if found)]
    if not all(KEY.fullmatch(str(key)) for key in changed):
        yield from (f"~{place}", f"+{place}={hydra_text(value)}")  # a map alone would be merged into the preset's
        return
    yield from (f"~{place}.{key}" for key in missing)
    for found in below.values():
        yield from found


def _tells(node: Mapping[str, Any], key: str) -> bool:
    """Whether a key says more than its class's default: a preset may have learned to name one that was there before."""
    from mtl_bench.records.identity import canonical  # late: it imports the class, and with it torch

    return key in cast(dict[str, Any], canonical({name: node[name] for name in ("_target_", key)}))


def hydra_text(value: Any) -> str:
    """As Hydra's grammar of overrides reads it back."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return value if WORD.fullmatch(value) else f"'{ESCAPED.sub(_escape, value)}'"
        case Mapping():
            return f"{{{','.join(f'{key}:{hydra_text(part)}' for key, part in value.items())}}}"
        case list() | tuple():
            return f"[{','.join(map(hydra_text, value))}]"
    return repr(value)


def _escape(found: re.Match[str]) -> str:
    return 2 * found[1] + found[2].replace("'", "\\'")
