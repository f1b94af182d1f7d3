"""Who trains a run and how far it is: a note in its lock file, which nobody has to lock to read it."""

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SILENT = 300.0  # seconds without a word after which a process on another machine counts as gone


@dataclass(frozen=True)
class Presence:
    """Share of the budget, seconds trained so far, and whether the process that said so is still there."""

    progress: float
    seconds: float
    alive: bool


def note_presence(path: Path, progress: float, seconds: float) -> None:
    """Overwrites the last note. A full disk costs the note and nothing else."""
    found = {"progress": progress, "seconds": seconds, "host": socket.gethostname(), "pid": os.getpid()}
    with suppress(OSError):
        path.write_text(json.dumps(found))


def presence(path: Path) -> Presence | None:
    """The last note; None where there is none, or only half of one."""
    try:
        found = json.loads(path.read_text())
        here = found["host"] == socket.gethostname()
        alive = _lives(found["pid"]) if here else time.time() - path.stat().st_mtime < SILENT
        return Presence(float(found["progress"]), float(found["seconds"]), alive)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
