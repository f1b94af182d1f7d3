"""What the checks before the first batch cost: `python scripts/benchmark_checks.py`.

Trains `rooms_quick` once in a temporary folder and prints the share of the run's processor time that each check took.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mtl_bench.job import compose_job
from mtl_bench.training import assemble, plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    data = parser.parse_args().data
    spent = Counter[str]()
    for module in (assemble, plan):
        for name in [
            name for name in vars(module) if name.startswith("check_") or name in ("rehearse", "loaded_digests")
        ]:
            patch.object(module, name, _timed(getattr(module, name), spent)).start()
    with tempfile.TemporaryDirectory() as folder:
        job = compose_job(
            ["experiment=rooms_quick", "options.progress=false", f"paths.data={data}", f"paths.runs={folder}"]
        )
        started = time.process_time()
        job.train()
        total = time.process_time() - started
    for name, seconds in spent.most_common():
        print(f"{name:18s} {1000 * seconds:7.1f} ms  {seconds / total:.2%}")
    print(f"{'all checks':18s} {1000 * spent.total():7.1f} ms  {spent.total() / total:.2%} of {total:.1f} s")


def _timed(check: Callable[..., Any], spent: Counter[str]) -> Callable[..., Any]:
    @wraps(check)
    def timed(*given: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return check(*given, **named)
        finally:
            spent[check.__name__] += time.process_time() - started  # type: ignore[assignment]

    return timed


if __name__ == "__main__":
    main()
