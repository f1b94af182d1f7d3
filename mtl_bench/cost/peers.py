"""The same step by TorchJD, where it is installed."""

from collections.abc import Callable, Iterator

from mtl_bench.cost.workload import Workload
from mtl_bench.errors import BenchError

CHUNKS = {"all rows at once, its default": None, "one row at a time": 1}


def torchjd_steps(workload: Workload, aggregators: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    """Steps of TorchJD's aggregators by class name, each with both ways to get at the rows.

    Without aggregators none. Raises BenchError where TorchJD is not installed, lacks one, or the model has a path per
    task.
    """
    if not aggregators:
        return {}
    try:
        from torchjd import aggregation
    except ImportError as error:
        raise BenchError("TorchJD is not installed; `pip install torchjd`, or leave peers out.") from error
    if workload.model.per_task_path:
        raise BenchError("TorchJD takes the rows of one shared pass; this model has a path per task: leave peers out.")
    if unknown := [name for name in aggregators if not hasattr(aggregation, name)]:
        raise BenchError(f"This TorchJD has no aggregator {unknown[0]}.")
    return dict(_steps(workload, {name: getattr(aggregation, name) for name in aggregators}))


def _steps(workload: Workload, kinds: dict[str, type]) -> Iterator[tuple[str, Callable[[], object]]]:
    for name, kind in kinds.items():
        for words, chunk in CHUNKS.items():
            yield f"TorchJD {name}, {words}", _step(workload, kind(), chunk)


def _step(workload: Workload, aggregator: Callable[..., object], chunk: int | None) -> Callable[[], object]:
    from torchjd.autojac import jac_to_grad, mtl_backward

    model, optimizer = workload.copied()
    shared = list(model.shared_parameters().values())
    owned = [list(model.task_parameters(k).values()) for k in range(len(model.tasks))]

    def step() -> None:
        features = model.encode(workload.image)
        losses = [workload.loss(model, features, k) for k in range(len(model.tasks))]
        optimizer.zero_grad()
        mtl_backward(losses, features, tasks_params=owned, shared_params=shared, parallel_chunk_size=chunk)
        jac_to_grad(shared, aggregator)  # type: ignore[call-overload]
        optimizer.step()

    return step
