"""Runs that are stopped and continued, and what they leave behind."""

import copy
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtl_bench.records.record import Record, reproducible
from mtl_bench.training.assemble import Place, assemble
from mtl_bench.training.cell import run_cell
from mtl_bench.training.interrupts import Interrupted
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import NODES, Plan, make_plan
from mtl_bench.training.trainer import Options, Trainer
from tests.methods.toys import TORCHJD

Compose = Callable[..., Plan]  # of the fixture `compose`
METHODS = sorted(path.stem for path in (Path(__file__).parents[1] / "configs" / "method").glob("*.yaml"))
METHODS = [method for method in METHODS if method != "torchjd" or TORCHJD]
REQUIRED = {
    "priority": ["method.priorities={left: 0.8, right: 0.2}"],
    "fixed": ["method.fixed={left: 1, right: 0.5}"],
    "cso": ["model.task_norm=true", "method.linear=true"],
    "torchjd": ["method.aggregator=GradVac"],  # which draws and remembers
}
PER_EPOCH = 7
TINY = [
    "experiment=multidigits",
    "model=mlp",
    "model.hidden=[12]",
    "protocol.training.batch_size=600",  # PER_EPOCH batches of the 4788 training samples
    "protocol.training.budget.amount=2",
]
ROOMS = [  # tiny and alike for all tests that compose it, so that it is rendered once
    "experiment=rooms_quick",
    "dataset.train=16",
    "dataset.val=8",
    "dataset.test=8",
    "dataset.shift=1",
    "dataset.height=32",  # the least that SegNet takes
    "dataset.width=40",
    "model.width=4",
]
DENSE_ROOMS = [override for override in ROOMS if not override.startswith("model.")]
PAPER_MODELS = {  # dense models of published tables, and what makes them small
    "segnet_mtan": ["model.width=4"],
    "deeplabv3plus": ["model.width=2", "model.head_width=4", "model.low_level=3"],
    "vit": [],
    "mtinet_hrnet18": ["model.backbone=hrnet_w18_small"],
    "mtinet_resnet18": ["model.width=4"],
    "multi_scale_hrnet18": ["model.backbone=resnet18", "+model.width=4"],
    "xception": ["model.widths=[4,4,6,6,8]", "model.blocks=2", "model.features=6", "model.decoder=[6,4,4,4]"],
    "cross_stitch": ["model.width=4"],
}
STOPS = (3, PER_EPOCH, 10)  # within the first epoch, at its end, within the second


class StopAt(NoLogger):
    """Sends this process a signal once, when so many batches are logged: the trainer writes a checkpoint and ends."""

    def __init__(self, batch: int) -> None:
        self.batch, self.sent = batch, False

    def log(self, values: Mapping[str, float], batch: int) -> None:
        # "lr": the row of every batch, not those of evaluation or diagnostics. A GPU's rows come late, and not all.
        if batch >= self.batch and "lr" in values and not self.sent:
            self.sent = True
            signal.raise_signal(signal.SIGTERM)


@dataclass(frozen=True)
class Left:
    """What a finished run leaves on disk."""

    record: dict[str, Any]
    history: bytes
    checkpoint: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_constant=str) for line in self.history.splitlines()]


def vary(plan: Plan, data: Path, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Plan:
    """The plan, built anew from its nodes; `changes` maps a node to the entries that differ."""
    nodes = {name: copy.deepcopy(plan.setting.nodes[name]) for name in NODES}
    for name, entries in (changes or {}).items():
        nodes[name] = {**nodes[name], **entries}
    return make_plan(plan.names, nodes, plan.seed, list(plan.tasks), data)


def begin(plan: Plan, runs: Path, **options: Any) -> Trainer:
    """A trainer that has not started; no file is written."""
    return assemble(plan, Place(runs, device="cpu"), Options(progress=False, **options), NoLogger())


def train(
    plan: Plan,
    runs: Path,
    stops: Sequence[int] = (),
    place: Mapping[str, Any] | None = None,
    **options: Any,
) -> Left:
    """Train to the end; before that, stop after each batch of `stops` and go on with a fresh trainer."""
    where = Place(runs, **{"device": "cpu", **(place or {})})
    settings = Options(**{"progress": False, "log_every": 1, **options})
    for batch in stops:
        with pytest.raises(Interrupted):
            run_cell(plan, where, settings, StopAt(batch))
        reached = read_checkpoint(plan, runs)["state"]["counts"]["batches"]
        assert reached == batch or (where.device == "cuda" and reached > batch)
    outcome = run_cell(plan, where, settings, NoLogger())
    assert not outcome.skipped
    return read(plan, runs, outcome.record)


def read(plan: Plan, runs: Path, record: Record) -> Left:
    history = plan.folder(runs).history  # none when a run was given up before its first evaluation
    return Left(as_json(record), history.read_bytes() if history.exists() else b"", read_checkpoint(plan, runs))


def read_checkpoint(plan: Plan, runs: Path) -> dict[str, Any]:
    """Without what a clock says, on the host: where a tensor lies is no part of what it is."""
    found: dict[str, Any] = torch.load(plan.folder(runs).checkpoint, map_location="cpu", weights_only=True)
    for name in ("seconds", "started"):
        del found["state"][name]
    return found


def as_json(record: Record) -> dict[str, Any]:
    """The reproducible part as a file would hold it; NaN becomes a string, which equals itself."""
    loaded: dict[str, Any] = json.loads(json.dumps(reproducible(record)), parse_constant=str)
    return loaded


def assert_same(left: Left, right: Left) -> None:
    """Bit for bit: weights, buffers, optimizer, method, schedule, generators, epoch means, history, record."""
    assert differing(left.checkpoint, right.checkpoint) == []
    assert left.history == right.history
    assert left.record == right.record


def differing(left: Any, right: Any, place: str = "") -> list[str]:
    """Places where two nested values are not bit-identical."""
    if type(left) is not type(right):
        return [place]
    if isinstance(left, Tensor):
        same = left.dtype == right.dtype and left.shape == right.shape
        return [] if same and torch.equal(_bytes(left), _bytes(right)) else [place]
    if isinstance(left, list | tuple):
        left, right = dict(enumerate(left)), dict(enumerate(right))
    if isinstance(left, dict):
        found = [f"{place}.{key}" for key in left.keys() ^ right.keys()]
        for key in left.keys() & right.keys():
            found += differing(left[key], right[key], f"{place}.{key}")
        return found
    return [] if left == right or (left != left and right != right) else [place]


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8)
