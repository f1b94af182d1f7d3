"""The one exception users see, when it is raised for a choice, how readers of many files go on, and the unforeseen."""

import site
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Literal, get_args, get_origin

from mtl_bench.kinds import hints_of, is_choice

LONG = 400  # characters of somebody else's message


class BenchError(Exception):
    """One sentence that says what is wrong and what to do; the command line prints it without a traceback."""


class Damaged(BenchError):
    """A file of a finished run cannot be used; who reads many names it and goes on with the rest."""


def check_choices(owner: object, place: str) -> None:
    """Every attribute whose class annotates it with a `Literal` holds one of its values, which stand there alone.

    `place` comes before the attribute's name in the BenchError.
    """
    for name, kind in hints_of(type(owner)).items():
        if get_origin(kind) is not Literal:
            continue
        value, choices = getattr(owner, name), get_args(kind)
        if not is_choice(value, choices):
            raise BenchError(f"{place}{name} is one of {', '.join(map(str, choices))}; got {value!r}.")


@contextmanager
def noting(damaged: list[Damaged] | None) -> Iterator[None]:
    """Adds what is damaged inside the block to the list, each file once; raises it where there is no list."""
    try:
        yield
    except Damaged as error:
        if damaged is None:
            raise
        if str(error) not in map(str, damaged):
            damaged.append(error)


def unforeseen(error: BaseException) -> str:
    """Kind, message and place of an exception that no code of ours raises on purpose, on one line.

    The place is where the user's own code took part last; without such a frame ours, else the innermost one.
    """
    message = shorten(str(error), LONG, placeholder=" …")  # torch's may have a page
    named = f"{type(error).__name__}: {message}" if message else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename))]
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(Path(__file__).parent)]
    if not frames or isinstance(error, SyntaxError):  # which says itself where
        return named
    frame = (own or ours or frames)[-1]
    return f"{named} ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})"


def _is_own(file: Path) -> bool:
    """Whether a file belongs to the user: neither ours nor Python's nor installed."""
    installed = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *site.getsitepackages()}
    foreign = [Path(__file__).parent, *map(Path, installed), Path(site.getusersitepackages())]
    return file.suffix == ".py" and not any(file.is_relative_to(folder) for folder in foreign)
