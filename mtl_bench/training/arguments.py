"""Are the arguments of a `_target_` node those that its class takes? Asked before anything is built."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pkgutil import resolve_name
from typing import Any, get_args, get_origin

from torch import Tensor

from mtl_bench.errors import BenchError, unforeseen
from mtl_bench.kinds import hints_of, is_of, is_plain, is_union, words_of

HYDRA = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")


def check_node(node: Any, place: str, injected: Collection[str] = ()) -> None:
    """Looks at every class inside `node`; `injected` arguments are given by the caller, not by the configuration.

    Raises BenchError, with the dotted place, for a class that cannot be imported or is abstract, and for an argument
    that is unknown, missing, or of another kind than its annotation (plain values only: objects are for the class).
    """
    if isinstance(node, Mapping) and "_target_" in node:
        target = _load(node["_target_"], place)
        arguments = {name: value for name, value in node.items() if name not in HYDRA}
        complete = not node.get("_partial_") and "_args_" not in node
        check_arguments(target, arguments, place, injected, complete)
    for name, part in _parts(node):
        check_node(part, f"{place}.{name}")


def check_arguments(
    target: Callable[..., Any],
    arguments: Mapping[str, Any],
    place: str,
    injected: Collection[str] = (),
    complete: bool = True,
) -> None:
    """The same for one class or function; not `complete` arguments are those of a partial."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):  # compiled code may have no signature
        return
    prefix, name = f"{place}." if place else "", getattr(target, "__name__", str(target))
    named = {key for key, parameter in parameters.items() if parameter.kind in _BY_NAME}
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        for key in sorted(set(injected) - named):
            raise BenchError(f"{name} ({place}) must take an argument `{key}`: every {place} is given one.")
        for key in arguments.keys() - named:
            raise BenchError(f"{prefix}{key} is no argument of {name}; {_guess(key, named - set(injected))}")
    required = [key for key in named if complete and parameters[key].default is inspect.Parameter.empty]
    for key in sorted(set(required) - {*injected, *arguments}):
        raise BenchError(f"{name} needs {prefix}{key}; give it a value.")
    hints = hints_of(target.__init__ if inspect.isclass(target) else target)
    for key, value in arguments.items():
        if not _fits(value, kind := hints.get(key, Any)):
            raise BenchError(f"{prefix}{key} must be {words_of(kind)}, got {value!r}.")


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _load(path: Any, place: str) -> Callable[..., Any]:
    if not isinstance(path, str):
        raise BenchError(f"{place}._target_ must name a class, as in my_file.MyClass; got {path!r}.")
    try:
        target = resolve_name(path)
    except Exception as error:  # importing runs a module of the user's, which may raise anything
        reason = str(error) if isinstance(error, ImportError | AttributeError) else unforeseen(error)
        raise BenchError(
            f"{place}._target_={path} cannot be imported ({reason}); check the spelling, and that "
            "its file lies in the working directory or in --config-dir."
        ) from error
    if not callable(target):
        raise BenchError(
            f"{place}._target_={path} is a {type(target).__name__}; name a class in it, as in {path}.MyClass."
        )
    if missing := getattr(target, "__abstractmethods__", None):
        raise BenchError(f"{path} ({place}) lacks {', '.join(f'`{name}`' for name in sorted(missing))}; write it.")
    return target


def _parts(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, Mapping):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def _guess(key: str, known: Collection[str]) -> str:
    if alike := get_close_matches(key, known, n=1):
        return f"did you mean {alike[0]}?"
    return f"it takes {', '.join(sorted(known)) or 'none'}."


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(value, Mapping) and "_target_" in value:
        return True
    origin, inner = get_origin(kind), get_args(kind)
    if is_union(kind):
        return any(_fits(value, one) for one in inner)
    if is_plain(kind) and kind is not str:  # what YAML reads as a number may be meant as text
        return is_of(value, kind)
    if origin in (list, tuple, Sequence):
        kinds = [one for one in inner if one is not Ellipsis]
        return isinstance(value, list) and all(any(_fits(part, one) for one in kinds) for part in value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(_fits(part, inner[1]) for part in value.values())
    return not (kind is Tensor or origin is Callable or _is_ours(kind))


def _is_ours(kind: Any) -> bool:
    """Budget, Schedule, LossWeighting, …: never a plain value."""
    return inspect.isclass(kind) and kind.__module__.startswith("mtl_bench.")
