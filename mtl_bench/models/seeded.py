"""The random streams that a constructor may draw from."""

import pickle
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from mtl_bench.errors import BenchError


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global streams of torch (on the CPU), numpy and Python start from `seed`, and are as before after it."""
    python, numbers = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed: that reseeds every GPU's stream as well
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)


def stream_positions() -> dict[str, bytes]:
    """Where each of these streams stands, by the library that it belongs to."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": pickle.dumps(np.random.get_state()),
        "Python's random": pickle.dumps(random.getstate()),
    }


def check_streams(one: Mapping[str, bytes], other: Mapping[str, bytes], who: str) -> None:
    """`who` left the streams there, which began apart. Raises BenchError for one that ends as the other does."""
    if seeds := [library for library in one if one[library] == other[library]]:
        raise BenchError(f"{who} seeds {seeds[0]}, so that every seed of a run would start alike; leave that out.")
