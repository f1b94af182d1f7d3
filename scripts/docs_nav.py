"""The navigation of the documentation, where pages are made rather than kept."""

from collections.abc import Callable
from typing import Any


def filled(nav: list[Any], made: Callable[[str], list[Any]]) -> list[Any]:
    """With every folder (`methods/`) replaced by the entries `made` in it; one that has none is left to other hooks."""
    found = []
    for item in nav:
        ((title, target),) = item.items()
        if isinstance(target, list):
            target = filled(target, made)
        elif target.endswith("/"):
            target = made(target) or target
        found.append({title: target})
    return found
