"""Where a run happens: device, threads, precision, versions."""

import os
import platform
import resource
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch

from mtl_bench import __version__
from mtl_bench.errors import BenchError
from mtl_bench.training.freed_memory import keep_freed_memory


def choose_device(wanted: str) -> torch.device:
    """`auto` is CUDA where there is one. Raises BenchError for a device that is not here."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise BenchError(f"Device {wanted!r} is not available here; use device=cpu or device=auto.") from None
    return device


def configure(device: torch.device, threads: int, precision: str, deterministic: bool) -> None:
    """Set what torch keeps globally; with `deterministic`, an operation without a deterministic form raises."""
    if threads < 1:
        raise BenchError(f"threads must be at least 1, got {threads}.")
    keep_freed_memory()
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)  # the cells of a sweep share a process
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS needs it to be reproducible
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = device.type == "cuda" and not deterministic


def describe_environment(
    device: torch.device, threads: int, precision: str, optimizer: torch.optim.Optimizer, data: str
) -> dict[str, Any]:
    """What bit-equality depends on beside the configuration; a checkpoint resumes only where this is the same.

    `data` is the digest of the packed bytes.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "device": device.type,
        "device_name": name,
        "threads": threads,
        "precision": precision,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "optimizer": ("fused " if optimizer.defaults.get("fused") else "") + type(optimizer).__name__,
        "data": data,
        "versions": {
            "mtl_bench": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),  # a TorchVersion, which no safe load of a checkpoint takes back
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }


def processor() -> str:
    """Model of the processor and the instructions that torch uses on it, which the last bits of a run depend on.

    Linux tells family and model beside the name, without which a virtual machine's ("Intel(R) Xeon(R) Processor") says
    little; elsewhere the name is what the platform gives.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        lines = []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = told.get("model name") or platform.processor() or platform.machine()
    numbers = f", family {told['cpu family']} model {told['model']}" if "model" in told and "cpu family" in told else ""
    return f"{name}{numbers}, {torch.backends.cpu.get_cpu_capability()}"


def peak_memory_bytes(device: torch.device) -> int:
    """Largest allocation on the GPU since `configure`, or of the whole process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024  # macOS counts bytes, Linux KiB
