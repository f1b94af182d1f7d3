"""One cell: a plan becomes a record."""

import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from mtl_bench import __version__
from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records.atomic import remove_leftovers, write_atomic
from mtl_bench.records.folder import RunFolder
from mtl_bench.records.reading import reading_in_words, readings_in
from mtl_bench.records.record import SCHEMA, Measured, Record, load_record, mostly_skipped, save_record
from mtl_bench.training.assemble import Place, assemble
from mtl_bench.training.diagnostics import effective_shares, mean_cosines
from mtl_bench.training.environment import peak_memory_bytes, processor
from mtl_bench.training.evaluator import Selected
from mtl_bench.training.interrupts import Interrupted
from mtl_bench.training.loggers import Logger, RunInfo
from mtl_bench.training.plan import Plan
from mtl_bench.training.reported import reported
from mtl_bench.training.samples import keep_pictures
from mtl_bench.training.setting import method_label
from mtl_bench.training.trainer import Diverged, Options, Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """A finished cell; `skipped` when its record was there already."""

    record: Record
    folder: RunFolder
    skipped: bool


def run_cell(plan: Plan, place: Place, options: Options, logger: Logger) -> Outcome:
    """Train one cell from its start or its checkpoint, or return the record that lies there.

    A single-task run serves every experiment that it is a baseline of, so its record may lie under another one's name.

    Raises Damaged when its record cannot be used, RunLocked when another process trains it, Diverged (after writing a
    record) when it was given up, BenchError when something in the plan is wrong.
    """
    folder = plan.folder(place.runs)
    if folder.finished():
        return _found(plan, folder)
    if plan.single and (namesake := _finished_namesake(plan, folder)):
        return _found(plan, namesake)
    folder.create()
    with folder.lock():
        if folder.finished():  # by another process, a moment ago
            return _found(plan, folder)
        remove_leftovers(folder.path)
        trainer = assemble(plan, place, options, logger)
        trainer.resume(place.resume)  # what it refuses stays as it is
        write_atomic(folder.config, OmegaConf.to_yaml(OmegaConf.create(plan.config)))
        trainer.logger.start(
            RunInfo.of(
                plan.names.experiment, plan.method, plan.hash, plan.seed, folder.path, plan.config, plan.readings
            )
        )
        trainer.logger.resumed(trainer.machine.ledger.counts.batches)
        failure: Diverged | None = None
        try:
            trainer.run()
        except Diverged as error:
            failure = error
        except Interrupted as error:
            batches = trainer.machine.ledger.counts.batches
            log.warning("Stopped by %s after batch %d; the same command goes on from there.", error.signal, batches)
            raise
        if not (trainer.machine.ledger.counts.optimizer_steps and trainer.machine.ledger.counts.backwards):
            raise BenchError(
                f"{trainer.name} learned nothing: either `update` of {type(trainer.method).__name__} does not take "
                "gradients and call `step.apply()` within an epoch, or no training sample has a label."
            )
        fields, given_up = plan.packed.manifest.fields, failure is not None
        selected = trainer.evaluator.select(trainer.state, fields, options.pictures, given_up)
        record = make_record(plan, trainer, selected)
        save_record(folder.record, record)
        batches = trainer.machine.ledger.counts.batches
        keep_pictures(selected.pictures, folder.predictions, trainer.logger, batches)
        if failure is not None:
            raise failure
        return Outcome(record, folder, skipped=False)


def _finished_namesake(plan: Plan, folder: RunFolder) -> RunFolder | None:
    """The same run under another experiment's name, its numbers read off as this plan asks for.

    A damaged record there is named and left alone.
    """
    for other in folder.namesakes():
        try:
            if other.finished() and readings_in(load_record(other.record)) == plan.readings:
                return other
        except Damaged as error:
            log.warning("%s", error)
    return None


def _found(plan: Plan, folder: RunFolder) -> Outcome:
    """The finished cell, unless its numbers were read off in another way than this plan asks for.

    The reporting part of a protocol is outside a run's identity; single-task runs serve every Δm.
    """
    record = load_record(folder.record)
    found = readings_in(record)
    if plan.single:
        same = found == plan.readings
    else:
        same = record["experiment"]["hash"] == plan.setting.experiment_hash(list(plan.tasks))
    if not same:
        told = reading_in_words(next(iter(found.values())))
        raise BenchError(
            f"{folder.path} is finished under another reporting part of the protocol ({told}, Δm "
            f"{record['delta_m']['definition']!r}) and stays as it is; give this one a folder of its own with "
            "paths.runs=FOLDER."
        )
    return Outcome(record, folder, skipped=True)


def make_record(plan: Plan, trainer: Trainer, selected: Selected) -> Record:
    """What the run leaves, once its budget is spent or it was given up."""
    test, val = selected.test, selected.val
    machine, state, names = trainer.machine, trainer.state, list(plan.tasks)
    counts = machine.ledger.counts
    skipped, in_a_row = (int(count) for count in machine.ledger.failures.totals.tolist())
    finite = all(math.isfinite(value) for metrics in test.values() for value in metrics.values())
    stepped = in_a_row < trainer.options.max_nonfinite and not mostly_skipped(skipped, counts.optimizer_steps)
    read_off = reported(plan.reporting, plan.tasks)
    record: Record = {
        "schema": SCHEMA,
        "hash": plan.hash,
        "seed": plan.seed,
        "created_by": __version__,
        "experiment": {"name": plan.names.experiment, "hash": plan.setting.experiment_hash(names)},
        "method": {"name": plan.method, "label": method_label(plan.method, plan.identity)},
        "tasks": names,
        "metrics": read_off["metrics"],
        "test": test,
        "val": val,
        "parameters": sum(parameter.numel() for parameter in machine.model.parameters()),
        "evaluations": state.evaluations,
        "selection": read_off["selection"],
        "delta_m": read_off["delta_m"],
        "baselines": plan.setting.baselines(list(read_off["delta_m"]["terms"])),
        "counts": {
            "batches": counts.batches,
            "forwards": counts.forwards,
            "backwards": counts.backwards,
            "passes": counts.passes,
            "optimizer_steps": counts.optimizer_steps,
        },
        "failures": {"nonfinite_steps": skipped, "solver": trainer.method.missed_residuals()},
        "converged": finite and stepped,
        "test_evaluations": max(1, sum(evaluation["test"] is not None for evaluation in state.evaluations)),
        "config": plan.config,
        "identity": plan.identity,
        "environment": trainer.environment,
        "resumed_elsewhere": trainer.elsewhere,
        "measured": _measured(trainer),
    }
    if variant := plan.packed.manifest.label:
        record["variant"] = variant
    if state.findings:
        record["findings"] = state.findings
    probed = _probed(trainer)
    if shares := effective_shares(probed, names):
        record["shares"] = shares
    if cosines := mean_cosines(probed, names):
        record["cosines"] = cosines
    if selected.other_tests:
        record["other_tests"] = selected.other_tests
    return record


def _measured(trainer: Trainer) -> Measured:
    state, batches = trainer.state, trainer.machine.ledger.counts.batches
    return {
        "seconds": round(state.seconds, 3),
        "seconds_per_step": state.seconds / max(1, batches),
        "peak_memory_bytes": peak_memory_bytes(trainer.machine.device),
        "host": f"{processor()}, {os.cpu_count()} cores",
        "started": state.started,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _probed(trainer: Trainer) -> list[Mapping[str, Any]]:
    """Rows of diagnostics; a history that was damaged meanwhile is named, and no reason to lose a record."""
    try:
        return [row for row in trainer.history.rows() if "diagnostics" in row]
    except Damaged as error:
        log.warning("%s The record has no shares and cosines of gradients.", error)
        return []
