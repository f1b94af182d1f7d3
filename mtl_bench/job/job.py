"""A composed configuration as a job: it trains cells and shows a person what came out. Hydra stays outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mtl_bench.configuration.choices import Choices
from mtl_bench.configuration.plain import paths_of
from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.job.objective import check_objective, score
from mtl_bench.job.summary import show_finished, show_run
from mtl_bench.records import Record
from mtl_bench.records.lock import RunLocked
from mtl_bench.results.baselines import find_baselines
from mtl_bench.training.arguments import check_arguments
from mtl_bench.training.assemble import Place
from mtl_bench.training.build import build
from mtl_bench.training.cell import Outcome, run_cell
from mtl_bench.training.loggers import Guarded, Logger
from mtl_bench.training.plan import NODES, Names, Plan, make_plan
from mtl_bench.training.protocol import Reporting
from mtl_bench.training.trainer import Diverged, Options


@dataclass(frozen=True)
class Job:
    """`plain` is the resolved configuration, `choices` the names that it was composed by.

    `digest` is that of data which are not packed here, of a job whose plans are looked at and not carried out.
    """

    plain: Mapping[str, Any]
    choices: Choices
    paths: Mapping[str, Path]
    place: Place
    options: Options
    digest: str | None = None

    @classmethod
    def of(cls, plain: Mapping[str, Any], choices: Choices) -> "Job":
        """Raises BenchError for what can be said to be wrong before there is a plan."""
        paths = paths_of(plain)
        where = {field.name: plain[field.name] for field in fields(Place) if field.name != "runs"}
        check_arguments(Place, {"runs": str(paths["runs"]), **where}, "")
        if not isinstance(plain["single_task"], bool):  # `no` is text to Hydra, and any text would count as true
            raise BenchError(f"single_task must be true or false, got {plain['single_task']!r}.")
        options = build(plain["options"], "options", Options)
        return cls(plain, choices, paths, Place(paths["runs"], **where), options)

    @property
    def only(self) -> list[str] | None:
        """The tasks to train on; None: all of them."""
        only = self.plain["only"]
        return [only] if isinstance(only, str) else only

    @property
    def configured(self) -> tuple[str, Any]:
        """The configured method's name and node."""
        node = self.plain.get("method")
        return self.choices.method_name(node or {}), node

    def plan(
        self, seed: int | None = None, only: Sequence[str] | None = None, method: tuple[str, Any] | None = None
    ) -> Plan:
        """Of the configured cell, or of one with another seed, other tasks, or another method's name and node."""
        name, node = method or self.configured
        nodes = {**{name: self.plain.get(name) for name in NODES}, "method": node}
        tasks = self.only if only is None else list(only)
        names = Names(self.choices.name("experiment"), name)
        seed = self.plain["seed"] if seed is None else seed
        return make_plan(names, nodes, seed, tasks, self.paths["data"], self.digest)

    def plans(self) -> list[Plan]:
        """What `train` would train where nothing is finished yet, in its order."""
        plan = self.plan()
        alone = self.plain["single_task"] and not plan.single
        return [*(self.plan(only=[task]) for task in plan.reporting.scored(plan.tasks) if alone), plan]

    def train(self) -> Record:
        """The record of the configured cell, trained where it is missing; see `run`."""
        return self.run().record

    def run(self) -> Outcome:
        """Train the configured cell, before it the missing single-task baselines where `single_task` asks for them.

        Raises RunLocked when another process trains the cell, Diverged when it was given up (its record says so), and
        at the end Damaged when a baseline's record cannot be used. A baseline that is locked or was given up is named.
        """
        *baselines, plan = self.plans()
        check_objective(self.plain["objective"], plan)
        damaged = self._train_all(baselines)
        outcome = self.cell(plan)
        if damaged:
            raise damaged[0]
        return outcome

    def train_baselines(self) -> None:
        """The missing ones alone, where `single_task` asks for them; `run` says what of their records is damaged."""
        self._train_all(self.plans()[:-1])

    def cell(self, plan: Plan, quiet: bool = False) -> Outcome:
        """One cell and what a person sees of it; with `quiet` one that is finished already is no news."""
        logger = Guarded(build(self.plain["logger"], "logger", Logger))
        summary: Mapping[str, float] = {}
        try:
            outcome = run_cell(plan, self.place, self.options, logger)
            if not outcome.skipped:
                summary = self._show(outcome)
            elif not quiet:
                show_finished(outcome)
            return outcome
        finally:
            logger.finish(summary)

    def score(self, record: Record) -> float | None:
        """What `objective` names, for a sweeper to maximise; see `mtl_bench.job.objective.score`."""
        reporting = self.plain["protocol"]["reporting"]
        node = reporting.get("selection")
        rule = Reporting(delta_m={}).selection if node is None else build(node, "protocol.reporting.selection")
        return score(record, self.plain["objective"], rule, lambda: find_baselines(record, self._roots, []))

    @property
    def _roots(self) -> list[Path]:
        return [self.paths["runs"], self.paths["reference"]]

    def _train_all(self, baselines: Sequence[Plan]) -> list[Damaged]:
        damaged: list[Damaged] = []
        for baseline in baselines:
            with noting(damaged):
                self._baseline(baseline)
        return damaged

    def _baseline(self, plan: Plan) -> None:
        try:
            self.cell(plan, quiet=True)
        except RunLocked as error:
            print(f"{error} Left alone.")
        except Diverged as error:  # as when it is found again: its record is there, and Δm is left out
            print(error)

    def _show(self, outcome: Outcome) -> Mapping[str, float]:
        damaged: list[Damaged] = []
        baselines = find_baselines(outcome.record, self._roots, damaged)
        command = self.choices.single_task_command(list(outcome.record["baselines"]))
        return show_run(outcome, baselines, damaged, command)
