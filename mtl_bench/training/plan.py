"""The plan of a cell: everything decided before the first batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mtl_bench.data.dataset import Dataset, prepare, unread
from mtl_bench.data.packed import Packed
from mtl_bench.models.loaded import digests, loaded
from mtl_bench.records.folder import RunFolder
from mtl_bench.records.identity import canonical_hash
from mtl_bench.records.reading import readings_of
from mtl_bench.records.record import SINGLE
from mtl_bench.tasks import Task
from mtl_bench.training.build import build, build_reporting, build_tasks, choose_tasks, draws_all, kept_weights
from mtl_bench.training.checks import check_dataset, check_nodes, check_seed, check_splits, check_terms, check_weights
from mtl_bench.training.protocol import Reporting, Training
from mtl_bench.training.setting import Setting, training_of

NODES = ("dataset", "tasks", "model", "method", "protocol")  # of a composed configuration


@dataclass(frozen=True)
class Names:
    """What people call the experiment and the method of a cell."""

    experiment: str
    method: str


def loaded_digests(
    node: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]], shape: Sequence[int]
) -> dict[str, str]:
    """Of the weights that a model's constructor brings along; {} for one that draws all of them."""
    if draws_all(node):
        return {}
    outputs = {name: task.outputs for name, task in build_tasks(tasks, tasks).items()}
    return digests(loaded(kept_weights(node, outputs, shape)))


@dataclass(frozen=True)
class Plan:
    """One cell: resolved nodes, the tasks trained (dataset order), the seed, and what the nodes mean."""

    names: Names
    setting: Setting
    tasks: dict[str, Task]
    seed: int
    dataset: Dataset
    packed: Packed
    training: Training
    reporting: Reporting

    @property
    def single(self) -> bool:
        return len(self.tasks) == 1

    @property
    def method(self) -> str:
        return SINGLE if self.single else self.names.method

    @cached_property
    def identity(self) -> dict[str, Any]:
        return self.setting.identity(list(self.tasks))

    @cached_property
    def hash(self) -> str:
        return canonical_hash(self.identity)

    @property
    def config(self) -> dict[str, Any]:
        """What was chosen, as written to config.yaml and the record."""
        return {"seed": self.seed, "only": list(self.tasks), **self.setting.nodes}

    @property
    def readings(self) -> dict[str, dict[str, Any]]:
        """By task, how numbers are read off this run."""
        return readings_of(self.reporting.selection.name, self.config, self.tasks)

    def folder(self, runs: Path) -> RunFolder:
        return RunFolder(runs, self.names.experiment, self.method, self.hash, self.seed)


def make_plan(
    names: Names, nodes: Mapping[str, Any], seed: int, only: list[str] | None, data: Path, digest: str | None = None
) -> Plan:
    """`nodes` holds the resolved dataset, tasks, model, method and protocol; the dataset is packed where it is not yet,
    unless a `digest` says what it would hold, for a plan that is not carried out.

    Raises BenchError when a node cannot be built, a task is unknown, or Δm names what does not exist.
    """
    check_nodes(nodes, NODES)
    check_seed(seed)
    protocol = nodes["protocol"]
    chosen = choose_tasks(nodes["tasks"], only)
    dataset = build(nodes["dataset"], "dataset", Dataset)
    check_dataset(dataset)
    node = training_of(chosen, protocol["training"], protocol["reporting"])
    training = build(node, "protocol.training", Training)
    reporting = build_reporting(protocol["reporting"])
    tasks = build_tasks(nodes["tasks"], chosen)
    check_terms(reporting, list(nodes["tasks"]), tasks)
    check_weights(training, list(nodes["tasks"]))
    packed = prepare(dataset, data) if digest is None else unread(dataset, data, digest)
    if packed.manifest.splits:
        check_splits(training, reporting, tasks, packed.manifest)
    brought = loaded_digests(nodes["model"], nodes["tasks"], dataset.image_shape)
    other = protocol["reporting"].get("single_model")
    setting = Setting(
        dataset=nodes["dataset"],
        digest=packed.digest,
        tasks=nodes["tasks"],
        model=nodes["model"],
        method=nodes["method"],
        training=protocol["training"],
        reporting=protocol["reporting"],
        loaded=brought,
        single_loaded=loaded_digests(other, nodes["tasks"], dataset.image_shape) if other else brought,
    )
    return Plan(names, setting, tasks, seed, dataset, packed, training, reporting)
