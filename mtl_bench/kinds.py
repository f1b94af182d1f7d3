"""Plain kinds of values: what an annotation admits, and in which words.

Without NumPy and torch, whose import takes longer than most commands that ask.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from inspect import isclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", NoneType: "null"}


def hints_of(target: Callable[..., Any]) -> Mapping[str, Any]:
    """Annotations of a class or function; none where they cannot be evaluated, which is no ground for a refusal."""
    try:
        return _hints(target)
    except Exception:  # they may be any text
        return {}


_hints = cache(get_type_hints)  # which evaluates text


def is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def is_plain(kind: Any) -> bool:
    """Whether it is a number, text, a truth value, null or a choice, or either of such."""
    if is_union(kind):
        return all(map(is_plain, get_args(kind)))
    return get_origin(kind) is Literal or has_word(kind)


def has_word(kind: Any) -> bool:
    """An annotation may be anything, also what cannot be looked up."""
    return isclass(kind) and kind in WORDS


def is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a plain kind. Numbers may be NumPy's, or tensors without dimensions."""
    if is_union(kind):
        return any(is_of(value, one) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return is_choice(value, get_args(kind))
    if kind in (bool, int, float) and getattr(value, "ndim", None) == 0:
        value = value.item()
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, kind)


def is_choice(value: Any, choices: Sequence[Any]) -> bool:
    """True and 1.0 are 1 to `in`, and here they are not."""
    plain = value is None or isinstance(value, str | Integral)
    return plain and value in choices and (not isinstance(value, bool) or any(value is one for one in choices))


def distinct_places(given: Any) -> list[int] | None:
    """Whole numbers from 0 on, each once, of a list, an array or a tensor, or a lone one; None for anything else."""
    listed = given.tolist() if hasattr(given, "tolist") else given
    every = list(listed) if isinstance(listed, Iterable) else [listed]
    if not all(is_of(one, int) and one >= 0 for one in every) or len({*every}) < len(every):
        return None
    return [int(one) for one in every]


def words_of(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if is_union(kind):
        return " or ".join(words_of(one) for one in inner if getattr(one, "__name__", None) != "Tensor")  # torch's lr
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (list, tuple, Sequence):
        return f"a list [{' | '.join(dict.fromkeys(words_of(one) for one in inner if one is not Ellipsis))}, …]"
    if origin in (dict, Mapping):
        return f"a map {{name: {'…' if inner[1] is Any else words_of(inner[1])}}}"
    return (
        WORDS[kind] if has_word(kind) else f"a node with a _target_ ({kind.__name__ if isclass(kind) else 'function'})"
    )


def shown(value: Any) -> str:
    """A value in a sentence: on one line, and short."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
