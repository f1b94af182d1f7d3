"""In what runs are not the experiment that their record names: the keys whose values are not the YAML's."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir

import mtl_bench.configuration.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.configuration.plain import plain_of
from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.identity import canonical

NODES = ("dataset", "tasks", "model", "protocol")
SHOWN = 4  # departures that are told one by one


def departures(record: Record, overrides: Sequence[str]) -> list[str]:
    """`protocol.training.budget.amount is 2, not 120`, as the experiment with its overrides stands now."""
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        config = compose("train", overrides=[f"experiment={record['experiment']['name']}", *overrides])
        plain = plain_of(config, "train")
    theirs, ours = _flat(record["config"]), _flat(plain)
    unlike = [key for key in sorted(theirs.keys() | ours.keys()) if theirs.get(key) != ours.get(key)]
    if unlike:
        meant = [_flat({node: _meant(config.get(node, {})) for node in NODES}) for config in (record["config"], plain)]
        unlike = [key for key in unlike if meant[0].get(key) != meant[1].get(key)]
    told = [f"{key} is {theirs.get(key, 'absent')}, not {ours.get(key, 'there')}" for key in unlike[:SHOWN]]
    return [*told, f"{len(unlike) - SHOWN} keys more"] if len(unlike) > SHOWN else told


def _meant(node: Any) -> Any:
    """Without what only repeats a default, which YAMLs may have named since."""
    try:
        return canonical(node)
    except BenchError:  # a class that is not here: then it is no default that differs
        return node


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(f"{prefix}.{key}", inner)
        else:
            found[prefix] = value

    for node in NODES:
        walk(node, config.get(node, {}))
    return found
