"""How long one training of the papers' experiments takes here: `python scripts/full_runs.py` writes the table.

Each experiment as its YAML has it, on made-up samples of its dataset's fields: nothing is downloaded, and loaded
weights are left out. Seconds are those of one thread's processor, so that what else the machine does counts little; a
batch of `--samples` stands for the protocol's, in proportion.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.packed import write_packed
from mtl_bench.job import compose_job
from mtl_bench.tasks import Task
from mtl_bench.training.assemble import Place, assemble
from mtl_bench.training.budget import Budget
from mtl_bench.training.build import build, build_tasks
from mtl_bench.training.environment import processor
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import NODES, Names, make_plan
from mtl_bench.training.progress import ProgressBar
from mtl_bench.training.trainer import Options, Trainer

STEPS = 2  # timed, after one that is not
TRAIN: Mapping[str, int] = {"nyuv2_mtan": 795, "nyuv2_deeplab": 795}  # experiment → samples of its training split
PAGE = Path("results/experiments/README.md")
HEAD = """# What a full training takes

`ls`, one seed. Measured are seconds per sample of a training step on made-up samples ({where}, one thread,
processor time, median of {steps} steps of {samples} samples); hours are those of the whole budget without evaluation,
in proportion. A GPU is some hundred times faster: see [On a GPU](../gpu/README.md).

```bash
python scripts/full_runs.py
```

| experiment | training samples | batch | steps | s per step | hours |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


def row(experiment: str, samples: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        plain = dict(compose_job([f"experiment={experiment}"]).plain)
        training = plain["protocol"]["training"]
        batch, budget = training["batch_size"], build(training["budget"], "budget", Budget)
        seconds = per_step(trainer(plain, min(samples, batch), Path(folder))) / min(samples, batch)
    per_epoch = TRAIN[experiment] // batch
    steps = round(budget.amount * (per_epoch if budget.unit == "epochs" else 1))
    return (
        f"| `{experiment}` | {TRAIN[experiment]:,} | {batch} | {steps:,} | {batch * seconds:.1f} | "
        f"{steps * batch * seconds / 3600:,.0f} |"
    )


def trainer(plain: dict[str, Any], samples: int, folder: Path) -> Trainer:
    """Of the experiment, on as many made-up samples as a step takes."""
    plain["model"] = {key: value for key, value in plain["model"].items() if key != "pretrained"}
    training = {**plain["protocol"]["training"], "batch_size": samples}
    plain["protocol"] = {**plain["protocol"], "training": training}
    make_up(build(plain["dataset"], "dataset", Dataset), build_tasks(plain["tasks"], plain["tasks"]), samples, folder)
    plan = make_plan(Names("made up", "ls"), {name: plain[name] for name in NODES}, 0, None, folder)
    plan.folder(folder).create()
    built = assemble(plan, Place(folder, device="cpu"), Options(progress=False), NoLogger())
    built.machine.model.train()
    return built


def make_up(dataset: Dataset, tasks: Mapping[str, Task], samples: int, folder: Path) -> None:
    arrays: Arrays = {name: drawn(field, tasks.get(name), samples) for name, field in dataset.fields.items()}
    splits = dict.fromkeys(("train", "test"), arrays)
    packed = folder / "packed" / dataset.folder_name
    write_packed(packed, dataset.name, splits, dataset.fields, "made up", dataset.parameters)


def drawn(field: Field, task: Task | None, samples: int) -> np.ndarray:
    """Stored numbers that mean something, and among classes some that are no label."""
    draw, shape, kind = np.random.RandomState(0), (samples, *field.shape), np.dtype(field.dtype)
    if field.encoding.categorical:
        return draw.randint(-1, task.labels if task else 2, shape).astype(kind)
    if kind.kind == "f":
        return draw.rand(*shape).astype(kind)
    return draw.randint(1, min(np.iinfo(kind).max, 30000), shape).astype(kind)


def per_step(built: Trainer) -> float:
    bar, seconds = ProgressBar("", shown=False), []
    for step in range(1 + STEPS):
        started = time.process_time()
        built._batch(bar)
        seconds += [time.process_time() - started] * (step > 0)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=list(TRAIN), help="printed, not written")
    parser.add_argument("--samples", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.experiments != list(TRAIN):
        for experiment in arguments.experiments:
            print(row(experiment, arguments.samples), flush=True)
        return
    where = f"{processor()}, torch {torch.__version__}"
    head = HEAD.format(where=where, steps=STEPS, samples=arguments.samples)
    PAGE.write_text(head + "\n".join(row(experiment, arguments.samples) for experiment in TRAIN) + "\n")


if __name__ == "__main__":
    main()
