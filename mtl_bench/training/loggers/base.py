"""What a logger is told about a run, and the guard that keeps its failures away from training."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mtl_bench.errors import BenchError
from mtl_bench.records.identity import canonical_hash
from mtl_bench.records.reading import END

log = logging.getLogger(__name__)

Draw = Callable[[], Mapping[str, UInt8[np.ndarray, "height width 3"]]]  # name → picture


@dataclass(frozen=True)
class RunInfo:
    """Facts about a run that hold before its first batch."""

    name: str  # shown to people, e.g. "multimnist/pcgrad/seed-0"
    group: str  # identity hash: the seeds of one cell average themselves
    id: str  # "<identity hash[:12]>-<seed>", and a hash of how it is read off: a resumed run continues the logged one
    folder: Path  # the run folder; loggers write below it and nowhere else
    config: dict[str, Any]  # plain JSON values
    tags: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        experiment: str,
        method: str,
        digest: str,
        seed: int,
        folder: Path,
        config: dict[str, Any],
        readings: Mapping[str, Mapping[str, Any]],
    ) -> "RunInfo":
        """Of a cell, while it trains or from its record: the same run to whatever logs it.

        `readings` are outside of `digest`, and tell apart runs that are trained alike in two folders.
        """
        name, identifier = f"{experiment}/{method}/seed-{seed}", f"{digest[:12]}-{seed}"
        if any(one != {"selection": END} for one in readings.values()):  # it says more than that weights are the last
            identifier += f"-{canonical_hash(readings)[:6]}"
        return cls(name, digest, identifier, folder, config, (experiment, method))


class Logger(ABC):
    """Where scalars go while a run trains; the record does not depend on it."""

    @abstractmethod
    def start(self, info: RunInfo) -> None:
        """Before the first batch, and again when the run is resumed; raises `BenchError` if a package is missing."""

    def resumed(self, batch: int) -> None:
        """After `start`: training goes on behind this batch (0: begins); what was told of later ones is void."""
        return

    @abstractmethod
    def log(self, values: Mapping[str, float], batch: int) -> None:
        """Scalars such as `train/left/loss` or `val/left/accuracy`, after `batch` batches; never decreasing."""

    def images(self, draw: Draw, caption: str, batch: int) -> None:
        """Pictures such as `predictions/0` after the last batch; a logger that shows none need not draw them."""
        return

    @abstractmethod
    def finish(self, summary: Mapping[str, float]) -> None:
        """Once, with the final values (`test/left/accuracy`, `delta_m`); after a failure with an empty mapping."""


class NoLogger(Logger):
    """Logs nothing: history and record are written anyway."""

    def start(self, info: RunInfo) -> None: ...

    def log(self, values: Mapping[str, float], batch: int) -> None: ...

    def finish(self, summary: Mapping[str, float]) -> None: ...


class Guarded(Logger):
    """Hands everything on until the wrapped logger fails; then says so in one line and stays off.

    Only a `BenchError` from `start` passes: a package that is not installed is for the user to solve, not an outage.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._started = False

    def start(self, info: RunInfo) -> None:
        with self._guard(BenchError):
            self._logger.start(info)
            self._started = True

    def resumed(self, batch: int) -> None:
        with self._guard():
            self._logger.resumed(batch)

    def log(self, values: Mapping[str, float], batch: int) -> None:
        with self._guard():
            self._logger.log(values, batch)

    def images(self, draw: Draw, caption: str, batch: int) -> None:
        with self._guard():
            self._logger.images(draw, caption, batch)

    def finish(self, summary: Mapping[str, float]) -> None:
        if self._started:  # a cell that was skipped or refused has nothing to finish
            with self._guard():
                self._logger.finish(summary)

    @contextmanager
    def _guard(self, *passing: type[Exception]) -> Iterator[None]:
        try:
            yield
        except passing:
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            log.warning("%s is off for the rest of this run (%s)", type(self._logger).__name__, reason)
            self._logger = NoLogger()
