"""What became of the jobs of a sweep, told at its end, whichever launcher ran them."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException, HydraException
from hydra.plugins.launcher import Launcher

from mtl_bench.configuration.choices import node_of
from mtl_bench.errors import BenchError

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
SERIAL = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
STEP = "instantiate_launcher"
AGAIN = "the same command runs again only those that did not"


@dataclass(frozen=True)
class Ended:
    """What a job hands back from the process that ran it; `score` is for the sweeper, `why` a sentence."""

    fate: Literal["finished", "finished already", "left to another process", "given up", "failed"] = "finished"
    score: float | None = None
    why: str = ""


@dataclass
class Sweep:
    """Collects `Ended` of every job, by what was typed for it.

    `trains`: its jobs are trainings. `alone`: those that run now are asked for their single-task baselines and nothing
    else, and tell nothing of what became of them: the jobs that need these do.
    """

    trains: bool = False
    alone: bool = False
    launched: int = 0
    ended: list[tuple[tuple[str, ...], Ended]] = field(default_factory=list)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside the block every sweeper gets a launcher that is listened to.

        What Hydra offers for this, callbacks, run in the process of the job, or not at all when one job failed.
        """
        original = Plugins.instantiate_launcher

        def instantiate(plugins: Plugins, *args: Any, **kwargs: Any) -> Launcher:
            launcher = original(plugins, *args, **kwargs)
            config = kwargs["config"] if "config" in kwargs else args[-1]
            # what is typed is in the jobs, and only there
            asked = config.get("single_task") is True or "single_task" in map(node_of, config.hydra.overrides.task)
            first = self.trains and asked and config.hydra.launcher.get("_target_") == SERIAL
            return Listening(launcher, self, scored=config.hydra.sweeper.get("_target_") != BASIC, alone_first=first)

        setattr(Plugins, STEP, instantiate)
        try:
            yield
        finally:
            setattr(Plugins, STEP, original)

    def tell(self) -> None:
        """How many jobs came to which end, and why those that have no usable record have none."""
        if not self.launched:
            return
        fates = Counter[str](ended.fate for _, ended in self.ended)
        if unheard := self.launched - len(self.ended):
            fates["without a word"] = unheard
        sys.stdout.flush()
        for typed, ended in self.ended:
            if ended.fate in ("failed", "given up"):
                print(f"{ended.fate}: {' '.join(self._varied(typed))}: {ended.why}", file=sys.stderr)
        told = ", ".join(f"{count} {fate}" for fate, count in fates.items())
        print(f"{self.launched} cell{'s' * (self.launched > 1)}: {told}")

    def check(self, otherwise: str = f"Not every cell of this sweep finished, see above; {AGAIN}.") -> None:
        """Raises BenchError when a job failed."""
        if any(ended.fate == "failed" for _, ended in self.ended):
            raise BenchError(otherwise)

    def _varied(self, typed: Sequence[str]) -> Sequence[str]:
        """What tells this job from others; all of it where nothing does."""
        everywhere = set(typed).intersection(*(other for other, _ in self.ended))
        return [one for one in typed if one not in everywhere] or typed


class Listening(Launcher):
    """Stands between a sweeper and its launcher, unwraps `Ended` and tells a sweeper that scores of failures.

    The basic sweeper would stop at the first failure without a word about the others, and batches that it has not
    launched would never run, so it is told none. With `alone_first` the single-task baselines of all jobs are trained
    before the first method, so that the Δm that is printed is against as many seeds as a board's.
    """

    def __init__(self, launcher: Launcher, sweep: Sweep, scored: bool, alone_first: bool = False) -> None:
        self.launcher, self.sweep, self.scored, self.alone_first = launcher, sweep, scored, alone_first

    def setup(self, **_: Any) -> None:
        """Done by Hydra, for the launcher inside."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        self.sweep.launched += len(job_overrides)
        try:
            if self.alone_first:
                self._launch_alone(job_overrides, initial_job_idx)
            found = self.launcher.launch(job_overrides, initial_job_idx=initial_job_idx)
        except (BenchError, HydraException):
            raise
        except (SystemExit, KeyboardInterrupt):  # stopped by hand, which was said; what its cells came to is lost
            self.sweep.launched -= len(job_overrides)
            raise
        except Exception as error:  # a worker was killed, a job never came back
            why = (str(error).splitlines() or [""])[0].rstrip(".: ")
            raise BenchError(
                f"The launcher broke down ({type(error).__name__}: {why}); the same command goes on where its cells "
                "were, and --debug shows the traceback."
            ) from error
        for one in found:
            if one.status is not JobStatus.COMPLETED:  # Hydra's own failure, which the sweeper raises
                continue
            ended: Ended = one.return_value
            self.sweep.ended.append((tuple(one.overrides or ()), ended))
            one.return_value = ended.score
            if ended.fate == "failed" and self.scored:
                one.status, one.return_value = JobStatus.FAILED, CompactHydraException(ended.why)
        return found

    def _launch_alone(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> None:
        """Once for all jobs that differ in their methods alone."""
        settings = dict.fromkeys(tuple(o for o in each if node_of(o) != "method") for each in job_overrides)
        if len(settings) == 1:  # its first job trains them first anyway
            return
        self.sweep.alone = True
        try:
            self.launcher.launch([list(each) for each in settings], initial_job_idx=initial_job_idx)
        finally:
            self.sweep.alone = False
