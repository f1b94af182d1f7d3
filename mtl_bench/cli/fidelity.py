"""What a method's sources say of it: its card, whose its options are, and what it was compared with."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import yaml

from mtl_bench.cli.method_facts import texts_of
from mtl_bench.results.card_parts import CardPart

PARITY = Path(__file__).with_name("parity.yaml")
OPTION = re.compile(r"^(\w+):\s*([^#\n]*?)\s*(?:#\s*(.*))?$", re.M)
ORIGINS = {"published": "published", "paper": "published", "released": "released", "ours": "ours"}
OTHER = "other"
ORIGIN = re.compile(rf"\b({'|'.join(ORIGINS)})\b")


def card_text(path: Path) -> str:
    """The docstring of its class: equation, scale, and where paper, released code and this one part."""
    return next(iter(texts_of(path).values()), "Its class is of another package, and has its card there.")


def fidelity(path: Path) -> CardPart:
    """Where each option of a YAML comes from, by the comment beside it, and what tests compare the class with."""
    rows = [(name, value, origin(comment), comment or "–") for name, value, comment in options(path)]
    counts = Counter(row[2] for row in rows)
    other = " (the comment names another library, or no source)" if counts[OTHER] else ""
    told = [f"Options as set: {', '.join(f'{n} {kind}' for kind, n in counts.items())}{other}."] if rows else []
    found = [(name, parity[name]["found"]) for name in texts_of(path) if name in (parity := compared())]
    told += [f"{name} beside TorchJD's in tests/parity: {what}." for name, what in found]
    if not found:
        told.append("No other implementation is compared with it in tests/parity.")
    return CardPart("Fidelity", tuple(told), ("option", "value", "as", "said of it") if rows else (), tuple(rows), 4)


def options(path: Path) -> list[tuple[str, str, str]]:
    """(name, value, comment) of the keys of the method itself."""
    return [found for found in OPTION.findall(path.read_text()) if not found[0].startswith("_") and found[1]]


def origin(comment: str) -> str:
    """The first that a comment names."""
    named = ORIGIN.search(comment)
    return ORIGINS[named[1]] if named else OTHER


@cache
def compared() -> dict[str, dict[str, str]]:
    """Class → its tests against another implementation, and what they found."""
    return dict(yaml.safe_load(PARITY.read_text()))
