"""Whether a record's configuration means what the record says: its identity, setting, baselines and label."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import SINGLE
from mtl_bench.results.validation import Remarks
from mtl_bench.training.setting import Setting, method_label

READ = ("identity", "tasks", "experiment", "delta_m", "baselines", "method")  # beside the configuration
VERSIONED = ("_revision_", "_library_", "_source_")  # in an identity: what may change without an edit


def check_meaning(record: Record) -> Remarks:
    """Rows are compared under the hash of their setting, so that hash must be that of the configuration.

    Nothing is packed, built or trained; classes are imported.
    """
    parts = {name: record[name] for name in READ}  # type: ignore[literal-required]
    config = {name: part for name, part in record["config"].items() if name != "seed"}
    yield from _checked(json.dumps({**parts, "config": config}))  # the order of tasks counts


@cache
def _checked(parts: str) -> tuple[tuple[bool, str], ...]:
    """Once for all seeds of a run."""
    return tuple(_check(json.loads(parts)))


def _check(record: Record) -> Remarks:
    config, identity = record["config"], record["identity"]
    brought = identity.get("loaded", {})
    try:
        setting = Setting(
            **{name: config[name] for name in ("dataset", "tasks", "model", "method")},
            digest=identity["content"],
            training=config["protocol"]["training"],
            reporting=config["protocol"]["reporting"],
            loaded=brought,
            single_loaded=brought,
        )
    except (KeyError, TypeError) as error:
        yield True, f"its configuration lacks {error}"
        return
    for check in (_identity, _board, _label):
        try:
            yield from check(record, setting)
        except BenchError as error:  # a class that is not installed here
            yield False, f"cannot be composed here: {str(error).rstrip('.')}"


def _identity(record: Record, setting: Setting) -> Remarks:
    identity, meant = record["identity"], setting.identity(record["tasks"])
    if _unlike(identity, meant) is None:
        return
    if place := _unlike(_unversioned(identity), _unversioned(meant)):
        yield True, f"its configuration has another {place} than its identity, so one of them was edited"
    else:
        yield False, f"was trained by another version of {_unlike(identity, meant)}"


def _board(record: Record, setting: Setting) -> Remarks:
    if setting.loaded:  # the identity names the weights of its own tasks alone, the experiment those of all
        return
    common = {**record["identity"], "method": SINGLE}  # whose class need not be installed here
    if _unlike(common, replace(setting, method=SINGLE).identity(record["tasks"])) is not None:
        return  # as `_identity` has said
    if setting.experiment_hash(record["tasks"]) != record["experiment"]["hash"]:
        yield True, "its experiment's hash is not that of its configuration, so it is on a foreign board"
    if setting.baselines(list(record["delta_m"]["terms"])) != record["baselines"]:
        yield True, "its single-task runs are not those of its configuration, so its Δm is against others"


def _label(record: Record, _: Setting) -> Remarks:
    name, node = record["method"]["name"], record["config"].get("method")
    if name == SINGLE:
        return
    if record["method"]["label"] != method_label(name, record["identity"]):
        yield True, "its label is not that of its method and options"
    path = configs_folder() / "method" / f"{name}.yaml"
    preset = OmegaConf.load(path) if path.is_file() else None
    if preset is not None and (not isinstance(node, Mapping) or preset.get("_target_") != node.get("_target_")):
        yield True, f"is called {name}, and its class is another"


def _unversioned(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _unversioned(value) for key, value in node.items() if key not in VERSIONED}
    return [_unversioned(value) for value in node] if isinstance(node, list) else node


def _unlike(first: Any, second: Any, place: str = "") -> str | None:
    """Where two JSON values differ first, dotted; None: nowhere."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in [*first, *second]:
            if key not in first or key not in second:
                return f"{place}{key}"
            if (found := _unlike(first[key], second[key], f"{place}{key}.")) is not None:
                return found
        return None
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        found = (_unlike(*pair, f"{place}{n}.") for n, pair in enumerate(zip(first, second, strict=True)))
        return next((one for one in found if one is not None), None)
    return None if first == second else place.rstrip(".") or "value"
