"""The written form of encodings: a word, or a name with arguments, plain JSON either way."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from mtl_bench.data.encoding.base import Encoding
from mtl_bench.data.encoding.classes import Classes, Index
from mtl_bench.data.encoding.numbers import Logarithm, NormalBytes, Numbers
from mtl_bench.errors import BenchError

Written = str | Mapping[str, Any]
WORDS: dict[str, Encoding] = {
    "uint8/255": Numbers(255, dtype="uint8"),
    "int8/127": Numbers(127, invalid=-128, dtype="int8"),
    "float": Numbers(),
    "class": Classes(),
    "index": Index(),
}
FAMILIES: dict[str, type[Encoding]] = {family.name: family for family in (Numbers, Classes, Logarithm, NormalBytes)}


def parse(written: Written) -> Encoding:
    """`"class"`, or `{"name": "class", "ignore": [255]}`: what `write` gives.

    Raises BenchError for an unknown word or name, and for arguments that it does not take.
    """
    if isinstance(written, str) and written in WORDS:
        return WORDS[written]
    given = dict(written) if isinstance(written, Mapping) else {}
    name = given.pop("name", None)
    if name not in FAMILIES:
        named = ", ".join(f'{{"name": "{family}", …}}' for family in FAMILIES)
        raise BenchError(f"The encoding {written!r} is unknown; choose among {', '.join(WORDS)}, {named}.")
    try:
        return FAMILIES[name](
            **{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        )
    except TypeError as error:
        takes = ", ".join(signature(FAMILIES[name]).parameters)
        raise BenchError(f"The encoding {written!r} cannot be read; `{name}` takes {takes}.") from error


def write(encoding: Encoding) -> Written:
    """A word where there is one, else the name and what differs from the defaults. Raises BenchError for a stranger."""
    if words := [word for word, known in WORDS.items() if known == encoding]:
        return words[0]
    if type(encoding) not in FAMILIES.values():
        raise BenchError(f"{type(encoding).__name__} has no written form; choose among {', '.join(FAMILIES)}.")
    values = {name: (getattr(encoding, name), p.default) for name, p in signature(type(encoding)).parameters.items()}
    given = {name: value for name, (value, default) in values.items() if value != default}
    return {"name": encoding.name} | {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}
