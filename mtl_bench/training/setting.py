"""What a run is a run of: the part of the configuration that decides its numbers, and the hashes that name it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from omegaconf import OmegaConf

from mtl_bench.records.identity import canonical, canonical_hash, identity_hash
from mtl_bench.records.record import SINGLE

Node = Mapping[str, Any]
PLAIN = {"_target_": "mtl_bench.methods.linear_scalarization.LinearScalarization"}


@dataclass(frozen=True)
class Setting:
    """Resolved nodes of one experiment and method; `tasks` in dataset order; `digest` is the packed content's.

    `loaded` and `single_loaded` are digests of the weights that the constructor of the model, and of the single-task
    model, brings along: under `shared`, and by task for heads. Empty: it draws all of them.
    """

    dataset: Node
    digest: str
    tasks: Mapping[str, Node]
    model: Node
    method: Node
    training: Node
    reporting: Node
    loaded: Mapping[str, str] = field(default_factory=dict)
    single_loaded: Mapping[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> dict[str, Any]:
        """The nodes as they were composed."""
        return {
            "dataset": self.dataset,
            "tasks": self.tasks,
            "model": self.model,
            "method": self.method,
            "protocol": {"training": self.training, "reporting": self.reporting},
        }

    def identity(self, tasks: Sequence[str]) -> dict[str, Any]:
        """The identity of the run on `tasks`. With one task it is plain training of the single-task model.

        What cannot matter with one task (the method, loss weights) is left out, so that one baseline serves all
        methods and every weighting.
        """
        single = len(tasks) == 1
        training = training_of(tasks, self.training, self.reporting)
        if single:
            training = {name: value for name, value in training.items() if name != "static_weights"}
        weights = self.single_loaded if single else self.loaded
        brought = {part: digest for part, digest in weights.items() if part in ("shared", *tasks)}
        identity = canonical(
            {
                **({"loaded": brought} if brought else {}),
                "dataset": self.dataset,
                "content": self.digest,
                "tasks": [[task, self.tasks[task]] for task in tasks],
                "model": self.single_model if single else self.model,
                "method": SINGLE if single else self.method,
                "training": training,
            }
        )
        return cast(dict[str, Any], identity)

    @property
    def single_model(self) -> Node:
        return self.reporting.get("single_model") or self.model

    def experiment_hash(self, tasks: Sequence[str]) -> str:
        """Everything that rows of one table share. Single-task runs belong to the table of all tasks."""
        chosen = list(self.tasks) if len(tasks) == 1 else tasks
        return identity_hash(
            {
                "content": self.digest,
                **({"loaded": self.loaded} if self.loaded else {}),
                "tasks": [[task, self.tasks[task]] for task in chosen],
                "model": self.model,
                "training": self.training,
                "reporting": self.reporting,
            }
        )

    def baselines(self, tasks: Sequence[str]) -> dict[str, str]:
        """Task → hash of its single-task run."""
        return {task: canonical_hash(self.identity([task])) for task in tasks}


def training_of(tasks: Sequence[str], training: Node, reporting: Node) -> Node:
    """How a run on `tasks` trains: with one task, by the protocol with `reporting.single_training` merged into it."""
    changes = reporting.get("single_training")
    if len(tasks) > 1 or not changes:
        return training
    return cast(Node, OmegaConf.to_container(OmegaConf.merge(training, changes)))


def method_label(name: str, identity: Node) -> str:
    """The method's name and the arguments in which it differs from its class's defaults."""
    method = identity["method"]
    if method == SINGLE:
        return SINGLE
    shown = {key: value for key, value in method.items() if not key.startswith("_")}
    return f"{name} ({', '.join(f'{key}={_short(value)}' for key, value in shown.items())})" if shown else name


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "_target_" in value:
        return str(value["_target_"]).rsplit(".", 1)[-1]
    return str(value)
