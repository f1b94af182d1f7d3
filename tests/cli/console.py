"""Types `mtl-bench …` in a process of its own, without paying for `import torch` each time.

A server imports the package once and forks for every command, so that each starts as clean as from a shell.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PRELOADED = (
    "torch._dynamo",
    "mtl_bench.cli.hydra_verbs",
    "mtl_bench.training.cell",
    "mtl_bench.job.summary",
    "mtl_bench.job",
    "mtl_bench.results",
)
DEADLINE = 300  # seconds after which the kernel ends a command that hangs


@dataclass(frozen=True)
class Typed:
    """What a command left: its exit status, what it printed, and the folder in which it was typed."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def sentence(self) -> str:
        """All of stderr as one line, whatever the terminal folded."""
        return " ".join(self.err.split())

    @property
    def words(self) -> str:
        return " ".join(self.out.split())


class Console:
    """The client's side; a context manager that owns the server."""

    def __enter__(self) -> Self:
        quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.wait()

    def type(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], before: str = "") -> Typed:
        """Run `mtl-bench ARGUMENTS` in `folder`; `before` is Python that the process executes first."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        out, err = folder / ".stdout", folder / ".stderr"
        request = {
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "before": before,
            "out": str(out),
            "err": str(err),
        }
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return Typed(status, out.read_text(), err.read_text(), folder)


def _serve() -> None:
    from hydra import compose, initialize_config_dir

    from mtl_bench.configuration.configs_folder import configs_folder

    for module in PRELOADED:
        __import__(module)
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        compose("train", overrides=["seed=0"])  # fills Hydra's caches
    gc.freeze()  # or the children's first collection would copy the whole heap
    for line in sys.stdin:
        if child := os.fork():
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        else:
            os._exit(_answer(json.loads(line)))


def _answer(request: dict[str, Any]) -> int:
    """Exit status, after doing what an interpreter does around `main`."""
    from mtl_bench.cli import main

    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    for path, number in ((os.devnull, 0), (request["out"], 1), (request["err"], 2)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    signal.alarm(DEADLINE)
    status = 0
    try:
        exec(request["before"], {})
        main(request["arguments"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    _serve()
