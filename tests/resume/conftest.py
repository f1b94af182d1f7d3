"""Plans on the bundled digits, composed once each."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from mtl_bench.compose import compose_plan
from mtl_bench.training.plan import Plan
from tests.resume.runs import TINY

Compose = Callable[..., Plan]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def compose(data: Path) -> Compose:
    """The plan of `mtl-bench train` with a tiny model and budget and the given overrides."""

    @cache
    def composed(*overrides: str) -> Plan:
        return compose_plan([*TINY, *overrides], data)

    return composed
