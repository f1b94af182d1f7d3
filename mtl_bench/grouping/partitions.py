"""All the ways to deal tasks to groups."""

from collections.abc import Iterator

from mtl_bench.errors import BenchError
from mtl_bench.grouping.best_groups import ChosenGroups, Groups


def every_partition(tasks: int, budget: int) -> list[Groups]:
    """All partitions of the tasks into min(`budget`, tasks) groups, each once, its groups in order of their first task.

    A mean over them is the expectation of `random_partition`: each stands for as many assignments as its groups can be
    numbered, which is the same number for all. There are S(tasks, groups) of them (Stirling's second kind): 1,701 for
    8 tasks in 4 groups.

    Raises BenchError without a task or a group.
    """
    if tasks < 1 or budget < 1:
        raise BenchError(f"Partitions need at least one task and a budget of at least one; got {tasks}, {budget}.")
    groups = min(budget, tasks)
    found: list[Groups] = [()]
    for task in range(tasks):
        found = [grown for partition in found for grown in _joined(partition, task, groups)]
    return [partition for partition in found if len(partition) == groups]


def dealt(groups: Groups) -> ChosenGroups:
    """A partition as a choice: each group serves all its members. Nothing predicted it, so its value is NaN."""
    owner = {task: number for number, members in enumerate(groups) for task in members}
    return ChosenGroups(groups, tuple(owner[task] for task in range(len(owner))), float("nan"))


def _joined(partition: Groups, task: int, most: int) -> Iterator[Groups]:
    """The task in each of the groups, and in one of its own."""
    for number, members in enumerate(partition):
        yield (*partition[:number], (*members, task), *partition[number + 1 :])
    if len(partition) < most:
        yield (*partition, (task,))
