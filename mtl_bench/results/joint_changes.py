"""What training together changed for each task, in standard errors over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, hypot, inf
from statistics import fmean

from scipy import stats

from mtl_bench.records import Record
from mtl_bench.results.change import seed_mean, term_slopes


@dataclass(frozen=True)
class JointChange:
    """Test values of a task's first judged metric over seeds, trained alone and together with the others.

    `percent` is the relative change of the mean and `errors` the change in standard errors of the difference, both
    positive where together is better. `errors` is infinite where no seed differs from another.
    """

    task: str
    metric: str
    alone: tuple[float, ...]
    together: tuple[float, ...]
    percent: float
    errors: float


def joint_changes(records: Sequence[Record], label: str) -> list[JointChange]:
    """Of the runs of one experiment: those of the method labelled `label` on most tasks against single-task training.

    One per task in the order of the record, tasks with fewer than two seeds of either left out.

    Raises BenchError when a single-task mean is zero, or not a finite number.
    """
    joint = [record for record in records if record["method"]["label"] == label]
    most = max((len(record["tasks"]) for record in joint), default=0)
    joint = [record for record in joint if len(record["tasks"]) == most]  # others trained some of the tasks
    changes = []
    for task, (metric, *_) in joint[0]["delta_m"]["terms"].items() if joint else ():
        alone = [record["test"][task][metric] for record in records if record["tasks"] == [task]]
        together = [record["test"][task][metric] for record in joint]
        if min(len(alone), len(together)) < 2:
            continue
        better = {task: {metric: joint[0]["metrics"][task][metric]["higher_is_better"]}}
        (slope,) = term_slopes({task: {metric: seed_mean(alone)}}, better, "one_per_task", {task: [metric]}).values()
        gain = copysign(1, slope) * (fmean(together) - fmean(alone))
        error = hypot(stats.sem(alone), stats.sem(together))
        errors = gain / error if error else copysign(inf, gain) if gain else 0.0
        changes.append(JointChange(task, metric, tuple(alone), tuple(together), abs(slope) * gain, errors))
    return changes
