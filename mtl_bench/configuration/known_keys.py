"""A key that nothing reads is refused.

Hydra lets a `+`, or a YAML of one's own, add what it likes; a misplaced learning rate would be a run at the old one.
Nodes with a `_target_` are asked of their class (`training.arguments`), and tasks have names of their own.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError

WHOLE = ("experiment", "suite")  # groups whose YAMLs set keys of the whole configuration
SET = ("dataset", "tasks", "model", "protocol")  # by experiments
FURTHER = {"protocol": {"training", "reporting"}}  # of the nodes that no job's YAML writes out


def check_keys(config: DictConfig, job: str) -> None:
    """Raises BenchError for a key that this job does not read and that no other key refers to."""
    known = _known(job)
    for place in ("", *known):
        node = OmegaConf.select(config, place) if place else config
        if isinstance(node, DictConfig):
            for key in map(str, node):
                if key not in known[place] and not (place == "" and _referred_to(config, key)):
                    raise BenchError(_unread(config, place, key, known[place], job))


def keys_ending_in(name: str, config: DictConfig) -> list[str]:
    """Dotted places of keys of that name further down in a configuration, three at most."""
    places = _places(OmegaConf.to_container(config, resolve=False))
    return [place for place in places if place.endswith(f".{name}") and not place.startswith("hydra.")][:3]


def _known(job: str) -> dict[str, set[str]]:
    """Dotted node → its keys, of the whole and of the nodes that have no class, as the job's YAML writes them and
    those that it builds on."""
    known: dict[str, set[str]] = {"": set(), **FURTHER}
    written = cast(DictConfig, OmegaConf.load(configs_folder() / f"{job}.yaml"))
    for entry in written.pop("defaults"):
        if isinstance(entry, DictConfig):
            known[""].update(_chosen(str(next(iter(entry)))))
        elif entry != "_self_":
            for place, keys in _known(entry).items():
                known.setdefault(place, set()).update(keys)
    for key, value in written.items_ex(resolve=False):
        known[""].add(str(key))
        if isinstance(value, DictConfig) and "_target_" not in value and key != "hydra":
            known.setdefault(str(key), set()).update(map(str, value))
    return known


def _chosen(entry: str) -> tuple[str, ...]:
    """The keys under which an option of a group comes: `conflicts` for /method@conflicts. Hydra's own have none."""
    group, _, key = entry.removeprefix("optional ").removeprefix("/").partition("@")
    if group.startswith("override "):
        return ()
    return SET if group == "experiment" else (key or group,)


def _referred_to(config: DictConfig, key: str) -> bool:
    text = str(OmegaConf.to_container(config, resolve=False))
    return f"${{{key}}}" in text or f"${{{key}." in text


def _unread(config: DictConfig, place: str, key: str, known: set[str], job: str) -> str:
    if place == "" and key in WHOLE:
        return f"The YAML of {key}=… sets nothing: its first line must be `# @package _global_`."
    dotted = f"{place}.{key}".lstrip(".")
    alike = get_close_matches(key, known, n=1)
    meant = [f"{place}.{alike[0]}".lstrip(".")] if alike else keys_ending_in(key, config)
    meant = [other for other in meant if other != dotted]
    guess = f"did you mean {', '.join(meant)}?" if meant else f"`mtl-bench {job} --cfg job` prints every key."
    return f"Nothing reads the key {dotted}; {guess}"


def _places(node: Any, place: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            inner = f"{place}.{key}".lstrip(".")
            yield inner
            yield from _places(value, inner)
