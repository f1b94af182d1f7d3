"""Lines for a terminal: names break at their joints, and nothing is cut."""

import re
from collections.abc import Iterable

from rich.cells import cell_len, chop_cells

SPACE = re.compile(r"(?<= )(?!±)")  # a mean and its ± stay together
JOINT = re.compile(r"(?<=[_=/])|(?<=[.,])(?!\d)")  # of a name, never inside a number
WORD = re.compile(r"(?:`[^`]*`|\S)+")  # a command in backticks is one word


def fold(text: str, width: int) -> str:
    """A name in lines of at most `width` cells, all but the first indented by one; its own line breaks stay."""
    return "\n".join(_fold(line, width) for line in text.split("\n"))


def fill(text: str, width: int) -> str:
    """A sentence in lines of at most `width` cells. A command in backticks stays whole, so that it can be copied."""
    words = WORD.findall(text)
    pieces = [piece for word in words for piece in ([word] if "`" in word else chop_cells(word, width))]
    return _lines((piece + " " for piece in pieces), width, "")


def _fold(line: str, width: int) -> str:
    if cell_len(line) <= width:
        return line
    room = max(width - 1, 1)
    pieces = [piece for word in SPACE.split(line) for piece in (JOINT.split(word) if _too_long(word, room) else [word])]
    return _lines((part for piece in pieces for part in chop_cells(piece, room)), width, " ")


def _too_long(text: str, width: int) -> bool:
    return cell_len(text.rstrip()) > width


def _lines(pieces: Iterable[str], width: int, indent: str) -> str:
    lines = [""]
    for piece in pieces:
        if lines[-1] and _too_long(lines[-1] + piece, width):
            lines.append(indent + piece)
        else:
            lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
