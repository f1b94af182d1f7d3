"""What all steps of a run work with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from mtl_bench.errors import BenchError
from mtl_bench.methods.interface import Level
from mtl_bench.step.engines.engine import Engine
from mtl_bench.step.forward import Part
from mtl_bench.step.ledger import Ledger
from mtl_bench.step.mover import Mover
from mtl_bench.step.reduce import Alone, Reduce


@dataclass
class Means:
    """`engines` by level; a sentence where the model can have none. `held_out` makes the batch of the validation split
    that belongs to the batch trained on (None: there are no such samples)."""

    mover: Mover
    ledger: Ledger
    engines: Mapping[Level, Engine | str]
    reduce: Reduce = field(default_factory=Alone)
    held_out: Callable[[], Part] | None = None

    def engine(self, at: Level) -> Engine:
        """Raises BenchError where this model can have none."""
        engine = self.engines[at]
        if isinstance(engine, str):
            raise BenchError(engine)
        return engine

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Around what a method does with a batch: what backwards before it left is dropped. Norms are on afterwards; a
        method that raises leaves nothing behind."""
        self.mover.forget()
        try:
            yield
        except BaseException:
            self.mover.forget()
            self.ledger.forget()
            raise
        finally:
            self.mover.norms.end_batch()
