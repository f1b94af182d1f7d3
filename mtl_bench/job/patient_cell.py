"""One run of a search, trained or found, without the table that a person usually sees."""

from time import sleep

from mtl_bench.job.job import Job
from mtl_bench.records import Record
from mtl_bench.records.lock import RunLocked
from mtl_bench.training.build import build
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import Guarded, Logger
from mtl_bench.training.plan import Plan
from mtl_bench.training.trainer import Diverged

POLL = 2.0  # seconds


def patient_cell(job: Job, plan: Plan) -> Record:
    """Its record, of a run that was given up too.

    Test values of trials are shown to nobody. A run that another process trains is waited for, because what a search
    draws next may depend on it: so several processes can tune several methods and share the single-task runs.
    """
    told = False
    while True:
        logger = Guarded(build(job.plain["logger"], "logger", Logger))
        try:
            return run_cell(plan, job.place, job.options, logger).record
        except Diverged:
            continue  # its record is there now
        except RunLocked as error:
            if not told:
                print(f"{error} Waiting for it.")
            told = True
            sleep(POLL)
        finally:
            logger.finish({})
