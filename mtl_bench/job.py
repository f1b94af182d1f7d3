"""A composed configuration as a job: it trains cells and shows a person what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from mtl_bench.chosen import chosen, method_name, single_task_command
from mtl_bench.records import Record
from mtl_bench.records.lock import RunLocked
from mtl_bench.summary import show_run
from mtl_bench.training.arguments import check_arguments
from mtl_bench.training.assemble import Place
from mtl_bench.training.build import build
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import Guarded, Logger
from mtl_bench.training.plan import NODES, Names, Plan, make_plan
from mtl_bench.training.trainer import Options


@dataclass(frozen=True)
class Job:
    """`plain` is the resolved configuration; `method` replaces its method where another one trains, with its name."""

    plain: Mapping[str, Any]
    paths: Mapping[str, Path]
    place: Place
    options: Options

    @classmethod
    def of(cls, plain: Mapping[str, Any], paths: Mapping[str, Path]) -> "Job":
        where = {name: plain[name] for name in ("device", "threads", "deterministic", "residency", "resume")}
        check_arguments(Place, {"runs": str(paths["runs"]), **where}, "")
        return cls(plain, paths, Place(paths["runs"], **where), build(plain["options"], "options", Options))

    def plan(self, seed: int, only: Sequence[str] | None, method: tuple[str, Any] | None = None) -> Plan:
        """`method` is another one's name and node, where the configured one is not what trains."""
        name, node = method or (method_name(self.plain.get("method") or {}), self.plain.get("method"))
        nodes = {**{name: self.plain.get(name) for name in NODES}, "method": node}
        tasks = None if only is None else list(only)
        return make_plan(Names(chosen("experiment"), name), nodes, seed, tasks, self.paths["data"])

    def train(
        self,
        seed: int,
        only: Sequence[str] | None,
        method: tuple[str, Any] | None = None,
        baseline: bool = False,
        patient: bool = True,
    ) -> Record | None:
        """One cell and what a person sees of it; a baseline that is there already, or being trained, is no news.

        None when another process is on it, which a sweep (unless not `patient`) and a baseline leave alone.
        """
        logger = Guarded(build(self.plain["logger"], "logger", Logger))
        summary: Mapping[str, float] = {}
        try:
            outcome = run_cell(self.plan(seed, only, method), self.place, self.options, logger)
            if not (baseline and outcome.skipped):
                roots = [self.paths["runs"], self.paths["reference"]]
                summary = show_run(outcome, roots, single_task_command(outcome.record["tasks"]))
            return outcome.record
        except RunLocked as error:
            if not patient or (not baseline and HydraConfig.get().mode != RunMode.MULTIRUN):
                raise
            print(f"{error} Left alone.")  # another process of the same sweep is on it
            return None
        finally:
            logger.finish(summary)
