"""Everything a run needs to go on bit for bit."""

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import write_atomic
from mtl_bench.records.reading import reading_in_words

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Written beside and renamed, so that a full disk or a kill leaves the former checkpoint as it was."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "cell": _cell(path), **state}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path, device: torch.device, environment: dict[str, Any], resume: str) -> dict[str, Any]:
    """Raises BenchError for a damaged file, one of another cell, and one from another environment unless `resume` is
    "any"."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["environment"]
        if state["format"] != FORMAT:
            raise ValueError(f"format {state['format']}")
    except (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BenchError(f"{path} is damaged ({reason:.80}); delete it to start this cell again.") from error
    if state.pop("cell", None) != _cell(path):
        raise BenchError(f"{path} belongs to another cell; delete it to start this cell again.")
    differing = sorted(key for key in environment if found.get(key) != environment[key])
    if differing and resume != "any":
        raise BenchError(
            f"{path} was written in another environment ({', '.join(differing)} differ), so resuming would not be "
            "exact; go on with resume=any (the record will say so) or delete it to start again."
        )
    state["elsewhere"] = bool(differing) or bool(state.get("elsewhere"))
    return dict(state)


def check_readings(path: Path, saved: dict[str, Any], readings: dict[str, dict[str, Any]]) -> None:
    """Raises BenchError where numbers were read off in another way so far: evaluations that another rule needs are not
    there, or weights that it does not keep are. Checkpoints of earlier versions do not say.
    """
    former = saved.get("readings", readings)
    for task, reading in readings.items():
        if former[task] != reading:
            told = reading_in_words(former[task])
            raise BenchError(
                f"{path} was begun under another reporting part of the protocol ({told}); type that again, give this "
                "one a folder of its own with paths.runs=FOLDER, or delete it to start again."
            )


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """`load_state_dict`, and every tensor in its saved type: torch casts to the parameter's (NAdam in fp64)."""
    optimizer.load_state_dict(saved)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, entries in saved["state"].items():
        state = optimizer.state[parameters[index]]
        tensors = {name: value for name, value in entries.items() if isinstance(value, torch.Tensor)}
        state.update({name: value.to(state[name].device) for name, value in tensors.items()})


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """What torch objects refuse to take back is a checkpoint of other code, in one sentence."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BenchError(
            f"{path} does not fit this version of model, method or optimizer ({reason:.120}); delete it to start this "
            "cell again."
        ) from error


def _cell(path: Path) -> str:
    """<hash>/seed-<n>: the folders may move together, but a checkpoint does not change its cell."""
    return "/".join(path.parts[-3:-1])
