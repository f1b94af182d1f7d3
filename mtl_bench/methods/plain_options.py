"""Options of a plain kind, by their annotations."""

import math
from dataclasses import fields
from typing import Any

from mtl_bench.errors import BenchError, check_choices
from mtl_bench.kinds import hints_of, is_of, is_plain, shown, words_of


def check_plain(owner: Any, place: str) -> None:
    """Every argument of a dataclass that is annotated as a number, a truth value, text or a choice, or None beside it.

    A number of NumPy or torch becomes one of Python, which every solver can work with. Raises BenchError for a value
    of another kind and for a number that is not finite. What else an annotation may say is for the class itself.
    """
    check_choices(owner, place)
    hints = hints_of(type(owner))
    for each in (each for each in fields(owner) if each.init):
        kind: Any = hints.get(name := each.name)
        value: Any = getattr(owner, name, None)
        if not is_plain(kind) or value is each.default:  # whose author knows what it means, as infinity for no bound
            continue
        if not is_of(value, kind):
            raise BenchError(f"{place}{name} must be {words_of(kind)}, got {shown(value)}.")
        if is_of(value, float):
            number = _number(value)
            if not math.isfinite(number):
                raise BenchError(f"{place}{name} must be finite, got {shown(value)}.")
            if not isinstance(value, int | float):
                setattr(owner, name, int(value) if is_of(value, int) else number)


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
