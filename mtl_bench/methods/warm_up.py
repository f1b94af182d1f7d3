"""A warm-up that lasts as long as the run."""

import logging

from mtl_bench.methods.interface import Context

log = logging.getLogger(__name__)


def tell_warm_up(context: Context, warmup: int, idle: int, other: str) -> None:
    """Warns of a run of no more than `idle` epochs, in which the method is the `other` one throughout.

    One epoch is what a loop of one's own says, whose length nobody knows, so that it warns of nothing.
    """
    if 1 < context.epochs <= idle:
        log.warning(
            "method.warmup=%d of %d epochs: this run is %s throughout; make it shorter.", warmup, context.epochs, other
        )
