"""How long one training of the papers' experiments takes here: `python scripts/full_runs.py` writes the table.

Each experiment as its YAML has it, on made-up samples of its dataset's fields: nothing is downloaded, and loaded
weights are left out. Seconds are those of one thread's processor, so that what else the machine does counts little.
Of large images two stand for the batch, in proportion.
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
LARGE = 256 * 256  # pixels
NYUV2 = 795
TRAIN: Mapping[str, int] = {  # what is typed after `experiment=` → samples of the training split
    "nyuv2_mtan": NYUV2,
    "nyuv2_deeplab": NYUV2,
    "cityscapes_mtan": 2975,
    "cityscapes_segnet": 2975,
    "nyud_mtinet": NYUV2,
    "nyud_vit": NYUV2,
    "pascal_mtinet": 4998,
    "pascal_vit": 4998,
    "taskonomy_vit": 258_000,  # 30 buildings of 8,600 views, the mean of all
    "taskonomy_xception": 851_000,  # 99 buildings
    "celeba40": 162_770,
    "celeba9": 162_770,
    "census": 199_523,
    "cifar100_superclasses": 50_000,
    "multifashion_mnist_resnet18": 60_000,
    "office_home": 9_353,
    "office31": 2_466,
    "qm9": 110_831,
    **{
        f"rooms_nyuv2 model={model}": NYUV2
        for model in ("segnet", "segnet_mtan", "deeplabv3plus", "vit", "mtinet_hrnet18", "mtinet_resnet18", "xception")
    },
    "rooms_nyuv2 model=cross_stitch": NYUV2,
}
PAGE = Path("results/experiments/README.md")
HEAD = """# What a full training takes

`ls`, one seed, on made-up samples: {where},
one thread, processor time, median of {steps} steps; of images of 256×256 pixels or more two stand for the batch, in
proportion. Hours are those of the whole budget without evaluation,
on this processor.

```bash
python scripts/full_runs.py
```

| experiment | training samples | batch | steps | s per step | hours |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


def row(experiment: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        plain = dict(compose_job([f"experiment={experiment.split()[0]}", *experiment.split()[1:]]).plain)
        training = plain["protocol"]["training"]
        batch, budget = training["batch_size"], build(training["budget"], "budget", Budget)
        _, height, width = build(plain["dataset"], "dataset", Dataset).image_shape
        samples = 2 if height * width >= LARGE else batch
        seconds = per_step(trainer(plain, samples, Path(folder))) / samples
    per_epoch = TRAIN[experiment] // batch
    steps = round(budget.amount * (per_epoch if budget.unit == "epochs" else 1))
    return (
        f"| `{experiment}` | {TRAIN[experiment]:,} | {batch} | {steps:,} | {batch * seconds:.3g} | "
        f"{steps * batch * seconds / 3600:,.1f} |"
    )


def trainer(plain: dict[str, Any], samples: int, folder: Path) -> Trainer:
    """Of the experiment, on as many made-up samples as a step takes."""
    plain["model"] = {key: value for key, value in plain["model"].items() if key != "pretrained"}
    training = {**plain["protocol"]["training"], "batch_size": samples}
    reporting = {key: value for key, value in plain["protocol"]["reporting"].items() if key != "single_model"}
    plain["protocol"] = {"training": training, "reporting": reporting}
    make_up(build(plain["dataset"], "dataset", Dataset), build_tasks(plain["tasks"], plain["tasks"]), samples, folder)
    plan = make_plan(Names("made up", "ls"), {name: plain[name] for name in NODES}, 0, None, folder)
    plan.folder(folder).create()
    built = assemble(plan, Place(folder, device="cpu"), Options(progress=False), NoLogger())
    built.machine.model.train()
    return built


def make_up(dataset: Dataset, tasks: Mapping[str, Task], samples: int, folder: Path) -> None:
    arrays: Arrays = {name: drawn(field, tasks.get(name), samples) for name, field in dataset.fields.items()}
    splits = dict.fromkeys(("train", "val", "test"), arrays)
    packed = folder / "packed" / dataset.folder_name
    write_packed(packed, dataset.name, splits, dataset.fields, "made up", dataset.parameters)


def drawn(field: Field, task: Task | None, samples: int) -> np.ndarray:
    """Stored numbers that mean something, and among classes some that are no label."""
    draw, shape, kind = np.random.RandomState(0), (samples, *field.shape), np.dtype(field.dtype)
    if field.encoding.categorical:
        return draw.randint(0 if kind.kind == "u" else -1, task.labels if task else 2, shape).astype(kind)
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
    arguments = parser.parse_args()
    if arguments.experiments != list(TRAIN):
        for experiment in arguments.experiments:
            print(row(experiment), flush=True)
        return
    where = f"{processor()}, torch {torch.__version__}"
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(HEAD.format(where=where, steps=STEPS))
    for experiment in TRAIN:
        with PAGE.open("a") as page:  # row by row: it takes an hour
            page.write(f"{row(experiment)}\n")


if __name__ == "__main__":
    main()
