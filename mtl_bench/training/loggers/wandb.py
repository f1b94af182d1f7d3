"""Weights & Biases."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any, Literal, TypeVar, get_args

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records.atomic import write_atomic
from mtl_bench.training.loggers.base import Draw, Logger, RunInfo

log = logging.getLogger(__name__)

Mode = Literal["offline", "online", "disabled"]
Result = TypeVar("Result")

TARGET = "wandb/target.json"  # below a run folder: where its W&B run went
GRACE = 5.0  # seconds that wandb's own process may need on top of its network timeout; about 0.5 measured


class WandbLogger(Logger):
    """One W&B run per run: `batch` is the step axis, seeds share a group, a resumed run continues under its id.

    W&B takes nothing back: after a kill, points behind the checkpoint are drawn again.

    Runs go to `project` of `entity` (None: your own), and `mode` says when:

    offline   written below `<run folder>/wandb`, sent whenever you like with `wandb sync <folder>`
    online    sent while training; where the server does not answer within `timeout` seconds the run goes on offline
    disabled  wandb's own no-op

    An outage after the start costs at most `timeout` seconds, in `finish`. Either way the data stay on disk, and one
    warning names the command that sends them.
    Scalars, configuration and pictures of predictions are sent; console output, code, git state, packages, machine
    statistics and error reports are not.
    """

    def __init__(
        self,
        project: str = "mtl_bench",
        mode: Mode = "offline",
        entity: str | None = None,
        timeout: float = 20.0,
    ) -> None:
        if mode not in get_args(Mode):
            raise BenchError(f"logger.mode={mode} is unknown: choose {', '.join(get_args(Mode))}.")
        self.project = project
        self.mode: Mode = mode
        self.entity = entity
        self.timeout = timeout

    def start(self, info: RunInfo) -> None:
        # Must stand before the import. With reports on, wandb waits up to 20 s at exit for a server that hangs.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            import wandb
        except ImportError as error:
            raise BenchError("logger=wandb needs a package that is missing: pip install wandb.") from error
        try:
            self._run = self._begin(wandb, info, self.mode)
        except (wandb.Error, TimeoutError) as error:
            within(GRACE, wandb.teardown)  # the failed attempt still occupies the run id
            self._run = self._begin(wandb, info, "offline")
            reason = " ".join(str(error).split())
            log.warning("W&B is out of reach and this run goes offline: wandb sync %s (%s)", self._kept(), reason)
        if self.mode != "disabled":
            target = {"project": self.project, "entity": self.entity, "mode": self.mode}
            write_atomic(info.folder / TARGET, json.dumps(target))
        self._run.define_metric("batch", hidden=True)
        self._run.define_metric("*", step_metric="batch")
        if self._run.url:
            log.info("W&B run: %s", self._run.url)

    def log(self, values: Mapping[str, float], batch: int) -> None:
        self._run.log({**values, "batch": batch})

    def images(self, draw: Draw, caption: str, batch: int) -> None:
        import wandb

        self._run.log({name: wandb.Image(image, caption=caption) for name, image in draw().items()} | {"batch": batch})

    def finish(self, summary: Mapping[str, float]) -> None:
        self._run.summary.update(dict(summary))
        try:
            within(self.timeout + GRACE, self._run.finish)
        except TimeoutError:
            log.warning("W&B took more than %g s: wandb sync --include-online %s", self.timeout, self._kept())

    def _kept(self) -> Path:
        return Path(self._run.dir).parent

    def _begin(self, wandb: Any, info: RunInfo, mode: Mode) -> Any:
        def begin() -> Any:
            # Settings go in before `init`: silent from the first line, wandb neither prints nor asks for a key.
            wandb.setup(quiet_settings(wandb, self.timeout))
            return wandb.init(
                project=self.project,
                entity=self.entity,
                mode=mode,
                name=info.name,
                group=info.group,
                id=info.id,
                dir=str(info.folder.absolute()),  # its service may be of a process that stands elsewhere
                config=info.config,
                tags=info.tags,
                resume="allow",
                reinit="create_new",
            )

        return within(self.timeout + GRACE, begin)


def logged_to(folder: Path) -> WandbLogger | None:
    """A logger that goes on where the run of this folder was logged; None where it was not. Raises Damaged."""
    path = folder / TARGET
    if not path.is_file():
        return None
    try:
        return WandbLogger(**json.loads(path.read_text()))
    except (ValueError, TypeError, BenchError) as error:
        raise Damaged(f"{path} is damaged ({error}); delete it.") from error


def quiet_settings(wandb: Any, timeout: float) -> Any:
    """`wandb.Settings` that wait at most `timeout` seconds and collect nothing; names a version lacks are left out."""
    wanted = {
        "init_timeout": timeout,
        "finish_timeout": timeout,
        "finish_timeout_raises": True,
        "x_service_wait": timeout,
        "silent": True,
        "console": "off",
        "disable_code": True,
        "disable_git": True,
        "label_disable": True,
        "x_disable_stats": True,
        "x_disable_machine_info": True,
        "x_save_requirements": False,
    }
    return wandb.Settings(**{name: value for name, value in wanted.items() if name in wandb.Settings.model_fields})


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What `call` returns; after `seconds` raises TimeoutError and leaves the call behind on a daemon thread."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(seconds)
