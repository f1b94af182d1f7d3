"""The one door to torchvision and timm.

The torchvision wheel of the package index is a CUDA build. Beside a CPU-only torch its compiled operators do not load,
and importing it (and so timm) fails on the fake implementations of two operators that nobody here calls. Defining their
schemas is enough: datasets, transforms and models need no compiled operator.
"""

import importlib
import sys
from types import ModuleType

import torch
from torch import library

from mtl_bench.errors import BenchError

_MISSING = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def torchvision() -> ModuleType:
    """The torchvision package. Raises `BenchError` where it is absent or does not fit the installed torch."""
    return _load("torchvision")


def timm() -> ModuleType:
    """The timm package. Raises `BenchError` where it, or the torchvision it imports, cannot be loaded."""
    torchvision()
    return _load("timm")


def _load(name: str) -> ModuleType:
    try:
        return _import(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise BenchError(
            f"{name} cannot be imported beside torch {torch.__version__} ({error}); install the release made for it, "
            f"`pip install {name}` in the environment that runs mtl-bench."
        ) from error


def _import(name: str) -> ModuleType:
    try:
        return _import_afresh(name)
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
    for operator in ("nms", "qnms"):
        library.define(f"torchvision::{operator}", _SCHEMA)
    return _import_afresh(name)


def _import_afresh(name: str) -> ModuleType:
    # A failed import leaves its submodules behind, and a package made of two attempts lacks them as attributes.
    if "torchvision" not in sys.modules:
        for leftover in [module for module in sys.modules if module.startswith("torchvision.")]:
            del sys.modules[leftover]
    return importlib.import_module(name)
