"""Everything a run needs to go on bit for bit."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import write_atomic

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Written beside and renamed, so that a full disk or a kill leaves the former checkpoint as it was."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path, device: torch.device, environment: dict[str, Any], resume: str) -> dict[str, Any]:
    """Raises BenchError for a damaged file, and for one from another environment unless `resume` is "any"."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["environment"]
        if state["format"] != FORMAT:
            raise ValueError(f"format {state['format']}")
    except (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BenchError(f"{path} is damaged ({reason:.80}); delete it to start this cell again.") from error
    differing = sorted(key for key in environment if found.get(key) != environment[key])
    if differing and resume != "any":
        raise BenchError(
            f"{path} was written in another environment ({', '.join(differing)} differ), so resuming would not be "
            "exact; go on with resume=any (the record will say so) or delete it to start again."
        )
    state["elsewhere"] = bool(differing) or bool(state.get("elsewhere"))
    return dict(state)
