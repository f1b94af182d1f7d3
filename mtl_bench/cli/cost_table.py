"""What `mtl-bench cost` does: build the model, measure, and print one row per step."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.cost import StepCost, Workload, measure
from mtl_bench.cost.peers import torchjd_steps
from mtl_bench.cost.rounds import clock_of_steps
from mtl_bench.errors import BenchError
from mtl_bench.methods import Method
from mtl_bench.models.initialise import initialise
from mtl_bench.training.build import build, build_model
from mtl_bench.training.environment import choose_device, configure, processor

COUNTS = ("k", "outputs", "batch", "rounds", "threads")


def cost_as_asked(plain: Mapping[str, Any]) -> None:
    """`plain` is the configuration of the verb. Raises BenchError for whatever is wrong in it."""
    for name in COUNTS:
        if not _counts(plain[name]):
            raise BenchError(f"{name} is a number from 1 on, got {plain[name]!r}.")
    shape = plain["shape"]
    if not isinstance(shape, list) or len(shape) != 3 or not all(map(_counts, shape)):
        raise BenchError(f"shape is [channels, height, width], each from 1 on, got {shape!r}.")
    names, peers = _names(plain, "methods"), _names(plain, "peers")
    device = choose_device(plain["device"])
    configure(device, plain["threads"], "fp32", deterministic=False)
    outputs = {f"task_{k}": plain["outputs"] for k in range(plain["k"])}
    model = build_model(plain["model"], outputs, shape)
    initialise(model, 0)
    image = torch.randn(plain["batch"], *shape, generator=torch.Generator().manual_seed(0))
    workload = Workload(model.to(device), image.to(device))
    methods, refused = _methods(names)
    costs, further = measure(workload, methods, plain["rounds"], torchjd_steps(workload, tuple(peers)))
    console = Console(highlight=False)
    console.print(_table(costs, _title(plain, device)))
    for name, sentence in sorted({**refused, **further}.items()):
        console.print(f"{name}: {sentence}", markup=False)


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _names(plain: Mapping[str, Any], key: str) -> list[str]:
    """One name alone is a list of one."""
    names = [plain[key]] if isinstance(plain[key], str) else plain[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BenchError(f"{key} is a name or a list of names, as in {key}=[one,another]; got {plain[key]!r}.")
    return names


def _methods(chosen: Sequence[str]) -> tuple[dict[str, Callable[[], Method]], dict[str, str]]:
    """How to make each method, and which ones need a choice that nobody made.

    `mgda@feature` is `mgda` at=feature, and `cso@phase=2` is `cso` with that option.
    """
    paths = {path.stem: path for path in sorted((configs_folder() / "method").glob("*.yaml"))}
    names = list(paths) if chosen == ["all"] else chosen
    if unknown := [name for name in names if name.partition("@")[0] not in paths]:
        raise BenchError(f"There is no method {unknown[0]!r}; `mtl-bench list method` names all.")
    made: dict[str, Callable[[], Method]] = {}
    refused = {}
    for name in names:
        stem, _, option = name.partition("@")
        node = cast(DictConfig, OmegaConf.load(paths[stem]))
        if option:
            node.merge_with_dotlist([option if "=" in option else f"at={option}"])
        if missing := OmegaConf.missing_keys(node):
            refused[name] = f"left out, for it needs a value for {', '.join(sorted(missing))}."
        else:
            plain = cast(dict[str, Any], OmegaConf.to_container(node, resolve=True))
            made[name] = partial(build, plain, "method", Method)
    return made, refused


def _title(plain: Mapping[str, Any], device: torch.device) -> str:
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{processor()}, {plain['threads']} thread"
    shape = "×".join(map(str, [plain["batch"], *plain["shape"]]))
    name = plain["model"]["_target_"].rpartition(".")[2]
    how = f"{plain['rounds']} rounds, {clock_of_steps()[0]}"
    return f"{name}, {plain['k']} tasks, {shape}; {where}, torch {torch.__version__}; {how}"


def _table(costs: Mapping[str, StepCost], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("step", no_wrap=True)
    for name in ("ms", "× plain sum", "× K backwards", "MB above plain sum"):
        table.add_column(name, justify="right")
    for name, cost in costs.items():
        numbers = f"{cost.over_plain:.2f}", f"{cost.over_k_backward:.2f}", f"{round(cost.memory / 1e6, 1) + 0.0:.1f}"
        table.add_row(name, f"{1000 * cost.seconds:.1f}", *numbers)
    return table
