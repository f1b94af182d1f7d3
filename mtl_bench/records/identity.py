"""When two configurations are the same run: the sha256 of their canonical JSON.

What changes no behaviour changes no identity: the order of keys, tuples or lists, `1` or `1.0`, and arguments that
repeat the constructor's default, so that adding an option to a class renames no run. What does change behaviour
without showing in a configuration is added: the `revision` of a class, the version of a library that it names as
`version_of`, and the source of a class that is neither ours nor installed. A class that was renamed keeps its first
path in `known_as`, and with it the names of its runs.
"""

import hashlib
import importlib
import inspect
import json
import math
import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from mtl_bench.errors import BenchError

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

_HYDRA = {"_target_", "_partial_", "_recursive_", "_convert_"}  # how Hydra builds an object, not what it builds
_UNKNOWN = inspect.Parameter("unknown", inspect.Parameter.KEYWORD_ONLY)
_OURS = Path(__file__).parents[1]
_STANDARD_LIBRARY = Path(os.__file__).parent


def identity_hash(spec: Any) -> str:
    """64 hex digits, equal for two specifications exactly when `canonical` makes them equal."""
    return canonical_hash(canonical(spec))


def canonical_hash(identity: Any) -> str:
    """Of what is canonical already: its classes are not asked again, which have other paths where they were renamed."""
    return hashlib.sha256(canonical_text(identity).encode()).hexdigest()


def canonical(spec: Any) -> JSON:
    """The one JSON value that stands for every way to write `spec` (resolved: plain dicts, lists and scalars).

    A dict with `_target_` gains `_revision_` and `_source_`, underscored because `source` may be an argument.
    Raises BenchError, with the dotted place, for what cannot identify a run: `???`, NaN, infinities, keys that are
    not strings, other objects, and targets that cannot be imported.
    """
    return _canonical(spec, "")


def canonical_text(value: Any) -> str:
    """The one spelling of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: Any, place: str) -> JSON:
    match value:
        case dict():
            return _object(value, place) if "_target_" in value else _mapping(value, place)
        case list() | tuple():
            return [_canonical(item, _join(place, index)) for index, item in enumerate(value)]
        case None | bool():
            return value
        case int() | float():
            return _number(value, place)
        case "???":
            raise _refusal(place, "is still ???; give it a value.")
        case str():
            return value
    kind = type(value).__name__
    raise _refusal(place, f"is a {kind}; use numbers, text, true, false, null, lists and maps.")


def _refusal(place: str, what: str) -> BenchError:
    return BenchError(f"{place or 'The configuration'} {what}")


def _number(value: int | float, place: str) -> int | float:
    """A whole number is written without a point wherever it stands, so that annotating an argument renames no run."""
    if not math.isfinite(value):
        raise _refusal(place, f"is {value}; use a finite number, or null where it is allowed.")
    return int(value) if value == int(value) else value


def _mapping(spec: dict[Any, Any], place: str) -> dict[str, JSON]:
    return {_key(key, place): _canonical(value, _join(place, key)) for key, value in spec.items()}


def _object(spec: dict[Any, Any], place: str) -> dict[str, JSON]:
    target = _load(spec["_target_"], place)
    parameters = _parameters(target)
    # The path as written: where a library keeps the class behind a public name may change with its version.
    # Read off the class itself, for a subclass is another one.
    known_as = getattr(target, "__dict__", {}).get("known_as", spec["_target_"])
    result: dict[str, JSON] = {"_target_": known_as, **_provenance(target)}
    for key, value in spec.items():
        parameter = parameters.get(_key(key, place), _UNKNOWN)
        item = _canonical(value, _join(place, key))
        if key not in _HYDRA and not _is_default(item, parameter):
            result[key] = item
    return result


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise _refusal(place, f"has the key {key!r}, which is not text; put it in quotes.")
    return key


def _join(place: str, key: Any) -> str:
    return f"{place}.{key}" if place else str(key)


def _load(path: str, place: str) -> Any:
    try:
        name, *rest = path.split(".")
        found = importlib.import_module(name)
        for part in rest:
            name = f"{name}.{part}"
            if not hasattr(found, part):
                importlib.import_module(name)
            found = getattr(found, part)
    except Exception as error:  # importing runs a module of the user's, which may raise anything
        raise BenchError(
            f"{_join(place, '_target_')}={path} cannot be imported: {error}; "
            "check the spelling or that its folder is on the path."
        ) from error
    return found


def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # compiled code may have no signature
        return {}


def _is_default(item: JSON, parameter: inspect.Parameter) -> bool:
    """A default that a dataclass's factory makes is none: records are named with some of them written out."""
    try:
        default = _canonical(parameter.default, "")
    except BenchError:  # no default, or one that no configuration can spell
        return False
    return canonical_text(item) == canonical_text(default)  # not ==, under which True is 1


def _provenance(target: Any) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    if isinstance(revision := getattr(target, "revision", None), int):
        found["_revision_"] = revision
    if isinstance(library := getattr(target, "version_of", None), str):
        found["_library_"] = f"{library} {_version(library)}"
    return found | source_of(target)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError as error:
        raise BenchError(
            f"This run is named by the version of {library}, which is missing: pip install {library}."
        ) from error


def source_of(target: Any) -> dict[str, str]:
    """`_source_`, the sha256 of the file that defines `target`, or nothing for what is ours or installed."""
    module = sys.modules.get(getattr(target, "__module__", ""))
    file = getattr(module, "__file__", None)
    if not file or _is_installed(Path(file)):
        return {}
    return {"_source_": hashlib.sha256(Path(file).read_bytes()).hexdigest()}


def _is_installed(file: Path) -> bool:
    inside = file.is_relative_to(_OURS) or file.is_relative_to(_STANDARD_LIBRARY)
    return inside or not {"site-packages", "dist-packages"}.isdisjoint(file.parts)
