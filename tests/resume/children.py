"""`mtl-bench train` in a process that may die: forked from a server that has imported everything already."""

import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from hydra.core.plugins import Plugins

from mtl_bench.cli import main

Plugins.instance()  # looks through every package for plugins of Hydra
torch.optim.Adam([torch.zeros(1)])  # imports torch's compiler
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        __name__,
        "mtl_bench.cli.hydra_verbs",
        "mtl_bench.job.summary",
        "mtl_bench.training.cell",
        "mtl_bench.data.digits",
        "mtl_bench.models",
    ]
)


@dataclass(frozen=True)
class Place:
    """A moment within the process: before its n-th audit event of this kind on a path that contains `path`."""

    event: str  # open, os.rename, os.remove, os.truncate
    path: str
    n: int = 1


def start(overrides: list[str], log: Path, kill: Place | None = None) -> BaseProcess:
    process = SERVER.Process(target=_train, args=(overrides, log, kill))
    process.start()
    return process


def _train(overrides: list[str], log: Path, kill: Place | None) -> None:
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    if kill is not None:
        _kill_at(kill)
    main(["train", *overrides])


def _kill_at(place: Place) -> None:
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event == place.event and place.path in str(arguments[0]):
            seen += 1
            if seen == place.n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
