"""The loop: batch, step, evaluate, checkpoint. It knows no method, no dataset and no model by name."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods.base import Method
from mtl_bench.records.history import History
from mtl_bench.records.lock import LOCK_NAME
from mtl_bench.step.epoch_means import EpochMeans
from mtl_bench.step.snapshot import global_random_state, set_global_random_state
from mtl_bench.training.checkpoint import check_readings, load_checkpoint, restore_optimizer, restoring, save_checkpoint
from mtl_bench.training.diagnostics import describe_gradients, probe, used_weights
from mtl_bench.training.evaluator import Evaluator
from mtl_bench.training.feed import Feed
from mtl_bench.training.interrupts import Interrupted, Interrupts
from mtl_bench.training.loggers import Logger
from mtl_bench.training.loggers.finding_scalars import scalars
from mtl_bench.training.machine import Machine
from mtl_bench.training.monitor import Monitor
from mtl_bench.training.progress import ProgressBar
from mtl_bench.training.protocol import Training
from mtl_bench.training.state import RunState

# torch warns when a schedule moves before the optimizer: here a first step that was not finite has been skipped
warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before", UserWarning)


@dataclass(frozen=True)
class Options:
    """How a run is carried out; nothing here changes its numbers (`max_nonfinite` says when there are none to come).

    `checkpoint_seconds` lie between checkpoints (0: one after every batch). `diagnostics_every` and `log_every` count
    batches (0: never). After `max_nonfinite` skipped steps in a row a run is given up. `pictures` test samples are kept
    with their dense predictions (0: none). `progress` shows a bar.
    """

    checkpoint_seconds: float = 60.0
    diagnostics_every: int = 0
    log_every: int = 50
    max_nonfinite: int = 25
    pictures: int = 4
    progress: bool = True

    def __post_init__(self) -> None:
        if self.max_nonfinite < 1:
            raise BenchError(
                f"options.max_nonfinite must be at least 1, got {self.max_nonfinite}; never is a large one."
            )
        for name, key, says in (
            ("pictures", "options.pictures", "keeps none"),
            ("log_every", "options.log_every", "is never"),
            ("diagnostics_every", "diagnostics.every", "is never"),
            ("checkpoint_seconds", "options.checkpoint_seconds", "is after every batch"),
        ):
            if not getattr(self, name) >= 0:
                raise BenchError(f"{key} must be at least 0, got {getattr(self, name)}; 0 {says}.")


class Diverged(BenchError):
    """Too many steps in a row were not finite."""


@dataclass(frozen=True)
class RunFiles:
    """What a run writes while it goes on; `environment` and, by task, `readings` are what a checkpoint must match to be
    resumed.
    """

    checkpoint: Path
    history: History
    environment: dict[str, Any]
    readings: dict[str, dict[str, Any]]


class Trainer:
    """One run, from its start or its checkpoint to the end of the budget."""

    def __init__(
        self,
        name: str,
        machine: Machine,
        method: Method,
        feed: Feed,
        evaluator: Evaluator,
        training: Training,
        files: RunFiles,
        logger: Logger,
        options: Options,
    ) -> None:
        self.name, self.machine, self.method, self.feed, self.evaluator = name, machine, method, feed, evaluator
        self.training, self.logger, self.options = training, logger, options
        self.checkpoint, self.history = files.checkpoint, files.history
        self.environment, self.readings = files.environment, files.readings
        self.state = RunState(started=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        self.means = EpochMeans(len(machine.names))
        self.elsewhere = False
        factor: Callable[[int], float] = lambda _: training.schedule.factor(self.progress)  # noqa: E731
        self.schedule = torch.optim.lr_scheduler.LambdaLR(machine.mover.optimizer, factor)
        self.monitor = Monitor(machine.device)

    @property
    def progress(self) -> float:
        return self.training.budget.progress(self.machine.ledger.counts, self.feed.per_epoch)

    @property
    def lr(self) -> float:
        return self.machine.mover.lr

    def resume(self, mode: str) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self.checkpoint.exists():
            self.history.truncate(0)
            return
        saved = load_checkpoint(self.checkpoint, self.machine.device, self.environment, mode)
        check_readings(self.checkpoint, saved, self.readings)
        with restoring(self.checkpoint):
            self._restore(saved)
        self.history.truncate(saved["history"])

    def _restore(self, saved: dict[str, Any]) -> None:
        machine = self.machine
        machine.model.load_state_dict(saved["model"])
        restore_optimizer(machine.mover.optimizer, saved["optimizer"])
        machine.mover.generator.set_state(saved["generator"])
        if saved["environment"]["device"] == machine.device.type:  # another kind has another form of state
            machine.mover.device_generator.set_state(saved["device_generator"])
            set_global_random_state(machine.device, saved["dropout"])
        machine.ledger.failures.totals = saved["nonfinite"].to(machine.device)
        machine.ledger.weights = saved["weights"]
        self.schedule.load_state_dict(saved["schedule"])
        self.method.load_state_dict(saved["method"])
        self.means.load(saved["means"])
        self.state, machine.ledger.counts = RunState.restore(saved["state"])
        self.elsewhere = saved["elsewhere"]

    def save(self) -> None:
        machine = self.machine
        state = {
            "environment": self.environment,
            "readings": self.readings,
            "model": machine.model.state_dict(),
            "optimizer": machine.mover.optimizer.state_dict(),
            "generator": machine.mover.generator.get_state(),
            "device_generator": machine.mover.device_generator.get_state(),
            "dropout": global_random_state(machine.device),
            "nonfinite": machine.ledger.failures.totals,
            "weights": machine.ledger.weights,  # a task without a label in the next batches keeps what it had
            "schedule": self.schedule.state_dict(),
            "method": self.method.state_dict(),
            "means": self.means.state(),
            "state": self.state.as_dict(machine.ledger.counts),
            "elsewhere": self.elsewhere,
            "history": self.history.offset,
        }
        save_checkpoint(self.checkpoint, state)

    def run(self) -> None:
        """Train until the budget is spent; then `state` and `machine` hold everything a record needs.

        Raises Diverged after too many skipped steps in a row, and Interrupted on SIGTERM or SIGINT; both leave a
        checkpoint.
        """
        saved_at = time.monotonic()
        progress = ProgressBar(self.name, self.options.progress, self.checkpoint.with_name(LOCK_NAME))
        with Interrupts() as interrupts, progress as bar:
            self.machine.model.train()
            self._give_up(
                float(self.machine.ledger.failures.totals[1])
            )  # the checkpoint may be of a run that was given up
            while self.progress < 1 and not self._in_vain and interrupts.received is None:
                self._batch(bar)
                self._give_up(self._in_a_row())
                if time.monotonic() - saved_at >= self.options.checkpoint_seconds:
                    self.save()
                    saved_at = time.monotonic()
            self.save()
            if interrupts.received is not None:
                raise Interrupted(interrupts.received)

    def _batch(self, bar: ProgressBar) -> None:
        started = time.perf_counter()
        state, machine, options = self.state, self.machine, self.options
        step = machine.step(self.feed.batch(state.epoch, state.position), state.epoch, self.progress)
        number = machine.ledger.counts.batches
        probed = None
        if step.tasks and options.diagnostics_every and number % options.diagnostics_every == 0:
            self._wait()
            probe_started = time.perf_counter()
            probed = probe(step)
            self._wait()
            started += time.perf_counter() - probe_started
        if step.tasks:  # few labels in small batches: nothing to learn from, and no method expects zero losses
            with machine.means.batch():
                self.method.update(step)
        losses = machine.ledger.batch_losses()
        self.means.add(losses)
        machine.ledger.counts.batches += 1
        state.position += 1
        self.schedule.step()
        self.monitor.push(number + 1, losses, machine.ledger.failures.totals)
        state.seconds += time.perf_counter() - started
        if probed is not None:
            self._log_diagnostics(number, *probed)
        self._watch(bar)
        self._boundaries()

    def _wait(self) -> None:
        """So that a clock read now sees all work of the device that was asked for."""
        if self.machine.device.type == "cuda":
            torch.cuda.synchronize(self.machine.device)

    def _boundaries(self) -> None:
        """What happens after the last batch of an epoch, and after the last of all."""
        state = self.state
        ended, finished = state.position == self.feed.per_epoch, self.progress >= 1
        if not ended and not finished:
            return
        started = time.perf_counter()
        means = self.means.close()  # waits for the device, so that the clock sees all of its work
        state.seconds += time.perf_counter() - started
        if ended:
            self.method.end_epoch(means)
            state.epoch, state.position = state.epoch + 1, 0
            self._keep_findings()
        if finished or state.epoch % self.evaluator.reporting.evaluate_every == 0:
            self._evaluate(means.tolist())

    @property
    def _in_vain(self) -> bool:
        """A whole epoch has spent nothing of what the budget counts, steps or passes: more of them never end."""
        return self.state.epoch > 0 and not self.progress

    def _keep_findings(self) -> None:
        found = self.method.findings()
        if found:
            self.state.findings.append({"epoch": self.state.epoch, **found})
            self.logger.log(dict(scalars("method", found, self.machine.names)), self.machine.ledger.counts.batches)

    def _evaluate(self, means: list[float]) -> None:
        machine, state = self.machine, self.state
        train, batches = dict(zip(machine.names, means, strict=True)), machine.ledger.counts.batches
        evaluation = self.evaluator.look(state, batches, batches / self.feed.per_epoch, train, self._remaining())
        weights = used_weights(machine.ledger, machine.names)
        self.history.append({**evaluation, "lr": self.lr, "weights": weights})
        values = {f"train/{task}/epoch_loss": mean for task, mean in evaluation["train"].items()}
        values |= {
            f"val/{task}/{name}": value for task, found in evaluation["val"].items() for name, value in found.items()
        }
        values |= {f"weights/{task}": weight for task, weight in weights.items()}
        self.logger.log(values | {"epoch": evaluation["epoch"]}, batches)

    def _remaining(self) -> int:
        """Evaluations still to come: exact for epochs and batches, else as if the rest cost twice what it did so far.

        A test too many can be left out of a mean over the last ones, one too few is lost.
        """
        if self._in_vain:
            return 0
        batches = self.machine.ledger.counts.batches
        left = (batches / self.progress - batches) / (1 if self.training.budget.foreseen else 2)
        return max(0, -int(-round(left, 6) // (self.feed.per_epoch * self.evaluator.reporting.evaluate_every)))

    def _log_diagnostics(self, batch: int, tasks: tuple[int, ...], gramian: torch.Tensor) -> None:
        names = [self.machine.names[task] for task in tasks]
        found = describe_gradients(names, gramian, used_weights(self.machine.ledger, self.machine.names))
        self.history.append({"batch": batch, "diagnostics": found})
        self.logger.log(found, batch + 1)  # a logger counts the batches that are over

    def _watch(self, bar: ProgressBar) -> None:
        seen = self.monitor.latest()
        if seen is None:
            return
        batch, values = seen
        losses = dict(zip(self.machine.names, values, strict=False))
        seconds, batches = self.state.seconds, self.machine.ledger.counts.batches
        bar.update(self.progress, losses, seconds, batches)
        if self.options.log_every and batches % self.options.log_every == 0:
            found = {f"train/{task}/loss": loss for task, loss in losses.items()}
            self.logger.log(found | {"seconds_per_step": seconds / max(1, batches), "lr": self.lr}, batch)

    def _in_a_row(self) -> float:
        """Steps skipped in a row, as far as the host knows without waiting for the device."""
        seen = self.monitor.latest()
        return 0.0 if seen is None else seen[1][-1]

    def _give_up(self, in_a_row: float) -> None:
        """Between batches and not within one, so that the checkpoint holds a state that can be resumed."""
        if in_a_row >= self.options.max_nonfinite:
            self.save()
            batches = self.machine.ledger.counts.batches
            raise Diverged(
                f"{self.name}: the last {int(in_a_row)} steps up to batch {batches} had a non-finite loss or gradient "
                "and were skipped; lower the learning rate or set protocol.training.clip_norm=1. Its "
                f"record says that it did not converge; the checkpoint is kept in {self.checkpoint.parent}."
            )
