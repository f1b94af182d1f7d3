"""`mtl-bench doctor`: versions, device, data, and what is wrong."""

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

from mtl_bench.data.packed import Packed
from mtl_bench.errors import BenchError

Finding = tuple[str, str, bool]  # what, found, is it well


def examine() -> bool:
    """Prints every finding; whether all is well."""
    table = Table(box=None, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")  # a long path is not cut
    findings = [*_packages(), *_device(), *_data()]
    for what, found, well in findings:
        table.add_row("[green]✓[/]" if well else "[red]✗[/]", what, found)
    Console().print(table)
    return all(well for _, _, well in findings)


def _packages() -> Iterator[Finding]:
    yield "python", platform.python_version(), True
    for wanted in map(Requirement, importlib.metadata.requires("mtl-bench") or ()):
        if wanted.marker is None:  # extras carry one
            yield _package(wanted)
    from mtl_bench.vision import torchvision

    yield _tried("torchvision import", lambda: f"works with this torch ({torchvision().__name__})")


def _package(wanted: Requirement) -> Finding:
    try:
        found = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return wanted.name, f"missing; run `pip install '{wanted}'`", False
    fits = wanted.specifier.contains(found, prereleases=True)
    return wanted.name, found if fits else f"{found}, but {wanted} is tested; run `pip install '{wanted}'`", fits


def _device() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        yield "device", f"cuda: {torch.cuda.get_device_name()}", True
    else:
        yield "device", f"cpu, {os.cpu_count()} cores (no CUDA device)", True


def _data() -> Iterator[Finding]:
    root = Path(os.environ.get("MTL_BENCH_DATA", "data"))
    for raw in sorted(path for path in (root / "raw").glob("*") if path.is_dir()):
        yield f"raw {raw.name}", f"{len(list(raw.iterdir()))} files", True
    packed = sorted((root / "packed").glob("[!.]*")) if (root / "packed").is_dir() else []
    if not packed:
        yield "data", f"nothing packed under {root}; `mtl-bench train` prepares what it needs", True
    for folder in packed:
        yield _tried(f"data {folder.name}", lambda folder=folder: _summary(Packed.open(folder)))  # type: ignore[misc]


def _summary(packed: Packed) -> str:
    sizes = ", ".join(f"{name} {size}" for name, size in packed.manifest.splits.items())
    return f"{sizes} (digest {packed.digest[:12]})"


def _tried(what: str, action: Callable[[], str]) -> Finding:
    try:
        return what, action(), True
    except BenchError as error:
        return what, str(error), False
