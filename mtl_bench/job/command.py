"""The command that made a record, found from the record alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.identity import canonical, identity_hash
from mtl_bench.records.record import SINGLE

NODES = ("dataset", "model", "method", "tasks", "protocol")
PLAIN_TEXT = re.compile(r"[A-Za-z_][\w./-]*")  # what Hydra reads as text without quotes
RESERVED = {"true", "false", "null", "nan", "inf"}


def overrides_of(record: Record, config_dirs: Sequence[Path] = ()) -> list[str]:
    """What `mtl-bench train` has to be told: experiment, method, seed, and all in which the run departed from these.

    A preset that is not among the YAMLs (of ours, of `config_dirs`) is written out. Raises BenchError for an experiment
    that is not.
    """
    config, experiment = record["config"], record["experiment"]["name"]
    folders = [configs_folder(), *config_dirs]
    if not any((folder / "experiment" / f"{experiment}.yaml").is_file() for folder in folders):
        raise BenchError(f"There is no experiment {experiment!r} here; name the folder of its YAML with --config-dir.")
    nodes = [name for name in NODES if name != "method" or record["method"]["name"] != SINGLE]
    typed = [f"experiment={experiment}"]
    for group in ("dataset", "model", "method"):
        named = record["method"]["name"] if group == "method" else ""
        if group in nodes and (option := _option(group, config[group], typed, folders, named)):
            typed.append(f"{group}={option}")
    preset = _composed(typed, folders)
    for name in nodes:
        typed += _departures(preset.get(name), config[name], name)
    if len(config["only"]) < len(config["tasks"]):
        typed.append(f"only=[{','.join(config['only'])}]")
    return [*typed, f"seed={record['seed']}"]


def _option(
    group: str, node: Mapping[str, Any], typed: Sequence[str], folders: Sequence[Path], named: str
) -> str | None:
    """The preset that departs least from the node, `named` before others; None where the experiment's own does."""
    usual, target = _composed(typed, folders).get(group) or {}, node["_target_"]
    paths = [path for folder in folders for path in sorted((folder / group).glob("*.yaml"))]
    alike = [path.stem for path in paths if cast(DictConfig, OmegaConf.load(path)).get("_target_") == target]
    if named in alike:
        return named
    near: dict[str | None, int] = {}
    if usual.get("_target_") == target:
        near[None] = len(list(_departures(usual, node, group)))
        if not near[None]:
            return None
    for name in alike:
        preset = _composed([*typed, f"{group}={name}"], folders)[group]
        near[name] = len(list(_departures(preset, node, group)))
    return min(near, key=lambda name: near[name], default=None)  # the first of several that are as near


def searching(config_dirs: Sequence[Path]) -> list[str]:
    """The override that stands for `--config-dir` where a job is composed from Python."""
    found = ",".join(f"file://{folder.resolve()}" for folder in config_dirs)
    return [f"hydra.searchpath=[{found}]"] if found else []


def _composed(overrides: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    with initialize_config_dir(str(folders[0]), version_base="1.3"):
        config = compose("train", overrides=[*searching(folders[1:]), *overrides])
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def _departures(preset: Any, node: Any, key: str) -> Iterator[str]:
    """Overrides that turn the preset's node into the record's."""
    if not isinstance(preset, Mapping) or not isinstance(node, Mapping):
        if identity_hash(preset) != identity_hash(node):
            yield f"++{key}={_text(node)}"
        return
    if preset.get("_target_") != node.get("_target_"):
        yield from ([f"~{key}"] if preset else [])
        yield f"++{key}={_text(node)}"
        return
    for name in _telling(preset):
        if name not in node:
            yield f"~{key}.{name}"
    for name, value in node.items():
        if name in preset:
            yield from _departures(preset[name], value, f"{key}.{name}")
        elif name in _telling(node):
            yield f"++{key}.{name}={_text(value)}"


def _telling(node: Mapping[str, Any]) -> list[str]:
    """Keys that say more than the default of the node's class."""
    given = {name: value for name, value in node.items() if value != "???"}
    return [name for name in cast(dict[str, Any], canonical(given)) if not name.startswith("_")]


def _text(value: Any) -> str:
    """As Hydra's grammar reads it back."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Mapping():
            return "{" + ",".join(f"{name}:{_text(part)}" for name, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_text, value)) + "]"
        case str() if not PLAIN_TEXT.fullmatch(value) or value.lower() in RESERVED:
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
