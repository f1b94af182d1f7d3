"""`mtl-bench` as a user types it, in a folder of its own, with data packed once for all tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.cli.console import Console, Typed

MOMENT = ["protocol.training.budget.amount=2", "protocol.training.budget.unit=batches"]
DIGITS = ["experiment=multidigits", *MOMENT]
FAST = [*DIGITS, "model=mlp"]
SMALL_ROOMS = ["dataset.train=16", "dataset.val=8", "dataset.test=8", "dataset.shift=1"]
SMALL_ROOMS += ["dataset.height=32", "dataset.width=40", *MOMENT]  # of the default experiment


class Type(Protocol):
    """Types `mtl-bench ARGUMENTS`; `before` is Python that its process executes first."""

    def __call__(self, *arguments: str, before: str = "") -> Typed: ...


@pytest.fixture(scope="session")
def console() -> Iterator[Console]:
    with Console() as console:
        yield console


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def finished(console: Console, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `runs/`, in which the fast cell of seed 0 is finished; to be copied, not touched."""
    folder = tmp_path_factory.mktemp("finished")
    typed = console.type(["train", *FAST], folder, {"MTL_BENCH_DATA": str(data)})
    assert typed.status == 0, typed.err
    return folder


@pytest.fixture
def folder(tmp_path: Path, finished: Path) -> Path:
    """The user's working directory; one cell is finished in it."""
    shutil.copytree(finished / "runs", tmp_path / "runs")
    return tmp_path


@pytest.fixture
def mtl_bench(console: Console, data: Path, folder: Path) -> Type:
    def typed(*arguments: str, before: str = "") -> Typed:
        return console.type(arguments, folder, {"MTL_BENCH_DATA": str(data)}, before)

    return typed


@pytest.fixture
def train(mtl_bench: Type) -> Type:
    """The fast cell; seed 0 is finished already."""

    def typed(*arguments: str, before: str = "") -> Typed:
        return mtl_bench("train", *FAST, *arguments, before=before)

    return typed


@pytest.fixture
def cell(folder: Path) -> Path:
    """The run folder of the finished cell."""
    return next(folder.glob("runs/multidigits/ls/*/seed-0"))
