"""Fixtures that several rooms share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mtl_bench.training.plan import Plan


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real samples of public datasets that lie beside the repository, never inside it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real samples (../shared/data) are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, so that the bundled digits are packed once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def compose(data: Path) -> "Callable[..., Plan]":
    """The plan of `mtl-bench train` with a tiny model and budget and the given overrides."""
    from mtl_bench.job import compose_plan  # late: most tests need neither torch nor Hydra
    from tests.runs import TINY

    @cache
    def composed(*overrides: str) -> "Plan":
        return compose_plan([*TINY, *overrides], data)

    return composed
