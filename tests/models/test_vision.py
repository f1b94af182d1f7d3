"""The door to torchvision and timm."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

from mtl_bench import vision
from mtl_bench.errors import BenchError

WHOLE = """
import sys
try:
    import torchvision
except RuntimeError:
    pass
from mtl_bench.vision import torchvision
package, prefix = torchvision(), "torchvision."
parts = {name.split(".")[1] for name in sys.modules if name.startswith(prefix)}
sys.exit(not parts or not all(hasattr(package, part) for part in parts))
"""


def run(code: str) -> int:
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_both_packages_load() -> None:
    assert callable(vision.torchvision().models.resnet18)
    assert vision.timm().__name__ == "timm"


def test_an_import_that_failed_before_leaves_no_package_in_parts() -> None:
    assert run(WHOLE) == 0


def test_models_load_neither_before_a_resnet_is_built() -> None:
    code = "import sys, mtl_bench.models; sys.exit('torchvision' in sys.modules or 'timm' in sys.modules)"
    assert run(code) == 0


@pytest.mark.parametrize("error", [ImportError("no such module"), RuntimeError("CUDA versions differ"), OSError("lib")])
@pytest.mark.parametrize("load", [vision.torchvision, vision.timm])
def test_a_failed_import_is_one_sentence(load: object, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> ModuleType:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(BenchError, match=f"cannot be imported beside torch .*{error}"):
        load()  # type: ignore[operator]
