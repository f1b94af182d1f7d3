"""A process that trains the cells of a grid in an order of its own, and says which it trained to their end."""

import os
import random
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from mtl_bench.job import compose_plan
from mtl_bench.records.lock import RunLocked
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import Plan
from mtl_bench.training.trainer import Options
from tests.resume.children import SERVER

METHODS = ("ls", "pcgrad", "famo")
CELL = [
    "experiment=multidigits",
    "model=mlp",
    "model.hidden=[12]",
    "protocol.training.batch_size=600",  # 8 batches per epoch
    "protocol.training.budget.amount=3",
]


def grid(data: Path, seeds: int) -> list[Plan]:
    plans = [compose_plan([*CELL, f"method={method}"], data) for method in METHODS]
    return [replace(plan, seed=seed) for seed in range(seeds) for plan in plans]


def work(runs: Path, data: Path, seeds: int, order: int) -> BaseProcess:
    """Goes through the grid once; `runs`/log gets a line per run that it finished itself."""
    process = SERVER.Process(target=_work, args=(runs, data, seeds, order))
    process.start()
    return process


def _work(runs: Path, data: Path, seeds: int, order: int) -> None:
    plans = grid(data, seeds)
    random.Random(order).shuffle(plans)
    log = os.open(runs / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    place, options = Place(runs, device="cpu"), Options(progress=False, checkpoint_seconds=0)
    for plan in plans:
        try:
            outcome = run_cell(plan, place, options, NoLogger())
        except RunLocked:
            continue  # another process is on it
        if not outcome.skipped:
            os.write(log, f"{plan.method} {plan.seed}\n".encode())
