"""A key that nothing reads is refused.

Hydra lets a `+`, or a YAML of one's own, add what it likes; a misplaced learning rate would be a run at the old one.
Nodes with a `_target_` are asked of their class (`training.arguments`), and tasks have names of their own.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder, option_groups
from mtl_bench.errors import BenchError

JOBS = ("train", "group", "recon", "tune", "prepare", "cost")
WHOLE = ("experiment", "suite")  # groups whose YAMLs set keys of the whole configuration
FURTHER = {"protocol": {"training", "reporting"}}  # of the nodes that no job's YAML writes out


def check_keys(config: DictConfig) -> None:
    """Raises BenchError for a key that no job reads and that no other key refers to."""
    known = _known(config)
    for place in ("", *known):
        node = OmegaConf.select(config, place) if place else config
        if isinstance(node, DictConfig):
            for key in map(str, node):
                if key not in known[place] and not (place == "" and _referred_to(config, key)):
                    raise BenchError(_unread(config, place, key, known[place]))


def keys_ending_in(name: str, config: DictConfig) -> list[str]:
    """Dotted places of keys of that name further down in a configuration, three at most."""
    places = _places(OmegaConf.to_container(config, resolve=False))
    return [place for place in places if place.endswith(f".{name}") and not place.startswith("hydra.")][:3]


def _known(config: DictConfig) -> dict[str, set[str]]:
    """Dotted node → its keys, of the whole and of the nodes that have no class, as the job writes them that it is."""
    known: dict[str, set[str]] = {"": set(option_groups()) - set(WHOLE), **FURTHER}
    for job in JOBS:
        written = cast(DictConfig, OmegaConf.load(configs_folder() / f"{job}.yaml"))
        if not {key for key in map(str, written) if key not in ("defaults", "hydra")} <= set(map(str, config)):
            continue
        for key, value in written.items_ex(resolve=False):
            known[""].add(str(key))
            if key == "defaults":  # an option of a group under another key, as in /method@conflicts
                known[""].update(place.partition("@")[2] for entry in value for place in _names(entry))
            if isinstance(value, DictConfig) and "_target_" not in value and key != "hydra":
                known.setdefault(str(key), set()).update(map(str, value))
    return known


def _names(entry: Any) -> list[str]:
    return [str(name) for name in entry] if isinstance(entry, DictConfig) else []


def _referred_to(config: DictConfig, key: str) -> bool:
    text = str(OmegaConf.to_container(config, resolve=False))
    return f"${{{key}}}" in text or f"${{{key}." in text


def _unread(config: DictConfig, place: str, key: str, known: set[str]) -> str:
    if place == "" and key in WHOLE:
        return f"The YAML of {key}=… sets nothing: its first line must be `# @package _global_`."
    dotted = f"{place}.{key}".lstrip(".")
    alike = get_close_matches(key, known, n=1)
    meant = [f"{place}.{alike[0]}".lstrip(".")] if alike else keys_ending_in(key, config)
    meant = [other for other in meant if other != dotted]
    guess = f"did you mean {', '.join(meant)}?" if meant else "`mtl-bench train --cfg job` prints every key."
    return f"Nothing reads the key {dotted}; {guess}"


def _places(node: Any, place: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            inner = f"{place}.{key}".lstrip(".")
            yield inner
            yield from _places(value, inner)
