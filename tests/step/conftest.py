"""Fixtures of the step's tests."""

import pytest
from torch import nn

from mtl_bench.step.engines import factored


@pytest.fixture
def always_in_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors for the smallest weight, whatever they cost; no dropout, so that two forwards agree."""
    monkeypatch.setattr(factored, "LEAST", 1)
    monkeypatch.setattr(factored, "worthwhile", lambda *_: True)
    monkeypatch.setattr(nn.functional, "dropout", lambda value, *_, **__: value)
