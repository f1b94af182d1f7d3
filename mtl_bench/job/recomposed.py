"""Whether a record's configuration means what the record says: its identity, setting, baselines and label."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.identity import canonical
from mtl_bench.records.record import SINGLE
from mtl_bench.results.validation import Remarks
from mtl_bench.training.build import build_reporting, build_tasks
from mtl_bench.training.reported import reported
from mtl_bench.training.setting import Setting, method_label

REPORTED = {"metrics": "metrics are not those", "selection": "selection rule is not that", "delta_m": "Δm is not that"}
READ = (*REPORTED, "identity", "tasks", "experiment", "baselines", "method")  # beside the configuration
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
            dataset=config["dataset"],
            tasks=config["tasks"],
            model=config["model"],
            method=config["method"],
            digest=identity["content"],
            training=config["protocol"]["training"],
            reporting=config["protocol"]["reporting"],
            loaded=brought,
            single_loaded=brought,
        )
    except (KeyError, TypeError) as error:
        yield True, f"its configuration lacks {error}"
        return
    for check in (_setting, _method):
        try:
            yield from check(record, setting)
        except BenchError as error:  # a class that is not installed here
            yield False, f"cannot be composed here: {str(error).rstrip('.')}"
        except (KeyError, TypeError) as error:
            yield True, f"its configuration lacks {error}"


def _setting(record: Record, setting: Setting) -> Remarks:
    """All but the method, whose class need not be installed here."""
    common = {**record["identity"], "method": SINGLE}
    meant = replace(setting, method=cast(Any, SINGLE)).identity(record["tasks"])
    yield from _compared(common, meant)
    if common != meant:
        return
    yield from _reported(record, setting)
    # With weights that a constructor brings along, the identity names those of its own tasks, the experiment all.
    if setting.loaded:
        return
    if setting.experiment_hash(record["tasks"]) != record["experiment"]["hash"]:
        yield True, "its experiment's hash is not that of its configuration, so it is on a foreign board"
    if setting.baselines(list(record["delta_m"]["terms"])) != record["baselines"]:
        yield True, "its single-task runs are not those of its configuration, so its Δm is against others"


def _reported(record: Record, setting: Setting) -> Remarks:
    """What every number means, and at which evaluation it was taken."""
    meant = reported(build_reporting(setting.reporting), build_tasks(setting.tasks, record["tasks"]))
    for key, what in REPORTED.items():
        if record[key] != meant[key]:  # type: ignore[literal-required]
            yield True, f"its {what} of its configuration"


def _compared(found: Any, meant: Any) -> Remarks:
    if place := _unlike(_unversioned(found), _unversioned(meant)):
        yield True, f"its configuration has another {place} than its identity, so one of them was edited"
    elif place := _unlike(found, meant):
        yield False, f"was trained by another version of {place.rpartition('.')[0]}"


def _method(record: Record, setting: Setting) -> Remarks:
    name, identity = record["method"]["name"], record["identity"]
    if name == SINGLE:
        return
    if record["method"]["label"] != method_label(name, identity):
        yield True, "its label is not that of its method and options"
    path = configs_folder() / "method" / f"{name}.yaml"
    if path.is_file() and cast(DictConfig, OmegaConf.load(path)).get("_target_") != setting.method.get("_target_"):
        yield True, f"is called {name}, and its class is another"
    yield from _compared({"method": identity["method"]}, canonical({"method": setting.method}))


def _unversioned(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _unversioned(value) for key, value in node.items() if key not in VERSIONED}
    return [_unversioned(value) for value in node] if isinstance(node, list) else node


def _unlike(found: Any, meant: Any, place: str = "") -> str:
    """Where two JSON values differ first, dotted; empty: nowhere."""
    if isinstance(found, Mapping) and isinstance(meant, Mapping):
        pairs = {key: (found.get(key, meant), meant.get(key, found)) for key in [*found, *meant]}
    elif isinstance(found, list) and isinstance(meant, list) and len(found) == len(meant):
        pairs = dict(enumerate(zip(found, meant, strict=True)))
    else:
        return "" if found == meant else place
    unlike = (_unlike(*pair, f"{place}.{key}" if place else str(key)) for key, pair in pairs.items())
    return next(filter(None, unlike), "")
