"""What a search may change in a configuration, and one draw of it."""

import copy
from collections.abc import Mapping, Sequence
from math import isfinite, log
from typing import TYPE_CHECKING, Any

from mtl_bench.errors import BenchError

if TYPE_CHECKING:
    from optuna import Trial as Asked
    from optuna.distributions import BaseDistribution

RATE = "protocol.training.optimizer.lr"
SIMPLEX = "simplex"
Space = Mapping[str, Any]  # dotted key → {low, high, log}, a list to choose from, or {simplex: names}


def space_of(plain: Mapping[str, Any], tasks: Sequence[str], rates: Sequence[float]) -> dict[str, Any]:
    """The learning rate and, with several tasks, what the node `space` names of the method's arguments.

    Raises BenchError for a space that cannot be drawn from or names what the method does not have.
    """
    rate = values_at(plain, [RATE])[RATE]
    if not _number(rate) or not rate > 0:
        raise BenchError(f"Tuning searches around the learning rate, and {RATE} is {rate!r}; give it a value.")
    low, high = (float(f"{rate * factor:.6g}") for factor in rates)
    found: dict[str, Any] = {RATE: {"low": low, "high": high, "log": True}}
    if len(tasks) > 1:
        _collect(plain.get("space") or {}, plain["method"], "", tasks, found)
    return found


def values_drawn(asked: "Asked", space: Space) -> dict[str, Any]:
    """Numbers have three digits, which tell a search apart and can be typed."""
    return {key: _draw(asked, key, dimension) for key, dimension in space.items()}


def as_drawn(values: Mapping[str, Any], space: Space) -> tuple[dict[str, Any], "dict[str, BaseDistribution]"]:
    """What was not drawn as if it had been, and from what, for a sampler that learns: only values that the space holds.
    Shares are a point of the simplex that many draws lead to, and stay out.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    params: dict[str, Any] = {}
    dimensions: dict[str, BaseDistribution] = {}
    for key, dimension in space.items():
        value = values[key]
        if isinstance(dimension, list):
            if value in dimension:
                params[key], dimensions[key] = value, CategoricalDistribution(dimension)
        elif SIMPLEX not in dimension and _number(value) and dimension["low"] <= value <= dimension["high"]:
            params[key] = float(value)
            dimensions[key] = FloatDistribution(dimension["low"], dimension["high"], log=dimension.get("log", False))
    return params, dimensions


def with_values(plain: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with a trial's values in it."""
    changed = copy.deepcopy(dict(plain))
    for key, value in values.items():
        *path, last = key.split(".")
        node = changed
        for name in path:
            node = node[name]
        node[last] = value
    return changed


def values_at(plain: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """What the configuration says there; None where a key stands nowhere."""
    found = {}
    for key in keys:
        node: Any = plain
        for name in key.split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        found[key] = node
    return found


def _collect(node: Mapping[str, Any], method: Any, place: str, tasks: Sequence[str], found: dict[str, Any]) -> None:
    for name, dimension in node.items():
        dotted = f"{place}{name}"
        if not isinstance(method, Mapping) or name not in method:
            raise BenchError(f"space.{dotted} is searched, and the method has no key {dotted}; take it out or add it.")
        if isinstance(dimension, Mapping) and "low" not in dimension:
            _collect(dimension, method[name], f"{dotted}.", tasks, found)
        else:
            found[f"method.{dotted}"] = {SIMPLEX: list(tasks)} if dimension == SIMPLEX else dimension
            _check(dimension, dotted)


def _check(dimension: Any, place: str) -> None:
    match dimension:
        case "simplex":
            return
        case list() if dimension and all(isinstance(one, str | int | float | None) for one in dimension):
            return
        case {"low": low, "high": high, **rest} if _number(low) and _number(high) and rest.keys() <= {"log"}:
            logarithmic = rest.get("log", False)
            if isinstance(logarithmic, bool) and low < high and (low > 0 or not logarithmic):
                return
    raise BenchError(
        f"space.{place} is {{low: …, high: …}} with low < high, with log: true above 0, or a list to choose from, or "
        f"{SIMPLEX} for shares of the tasks; got {dimension!r}."
    )


def _draw(asked: "Asked", key: str, dimension: Any) -> Any:
    if isinstance(dimension, list):
        return asked.suggest_categorical(key, dimension)
    if SIMPLEX in dimension:
        # Logarithms of uniform numbers, made to sum to one, are uniform on the simplex (Devroye 1986, ch. XI.4).
        parts = {name: -log(asked.suggest_float(f"{key}.{name}", 1e-9, 1 - 1e-9)) for name in dimension[SIMPLEX]}
        return {name: _rounded(part / sum(parts.values())) for name, part in parts.items()}
    return _rounded(asked.suggest_float(key, dimension["low"], dimension["high"], log=dimension.get("log", False)))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
