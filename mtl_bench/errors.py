"""The one exception users see, and the words for those that nobody foresaw."""

import site
import sysconfig
import traceback
from pathlib import Path


class BenchError(Exception):
    """One sentence that says what is wrong and what to do; the command line prints it without a traceback."""


def unforeseen(error: BaseException) -> str:
    """Kind, message and place of an exception that no code of ours raises on purpose, on one line.

    The place is where the user's own code took part last; without such a frame ours, else the innermost one.
    """
    message = " ".join(str(error).split())
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
