"""Diagnostics of the middle of a run, by hand."""

from math import sqrt

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.results.probes import PairCosine, mean_shares, middle_probes, pair_cosines


def probe(cosine: float, share: float = 0.5) -> dict[str, float]:
    return {
        "diagnostics/cosine/a-b": cosine,
        "diagnostics/conflicts": float(cosine < 0),
        "diagnostics/share/a": share,
        "diagnostics/share/b": 1 - share,
    }


def test_the_middle_third_of_what_could_be_probed() -> None:
    sound = [{"batch": n, "diagnostics": probe(n / 10)} for n in range(6)]
    others = [{"batch": 9, "train": {}}, {"batch": 9, "diagnostics": {"diagnostics/nonfinite": 1.0}}]
    assert middle_probes([*others, *sound, *others]) == [probe(0.2), probe(0.3)]
    assert middle_probes([]) == []


def test_shares_by_hand() -> None:
    assert mean_shares([probe(0, 0.2), probe(0, 0.6)]) == pytest.approx({"a": 0.4, "b": 0.6})


def test_cosines_by_hand() -> None:
    """Deviations −0.4, 0, 0.4 of three: a variance of 0.16."""
    found = pair_cosines([probe(-0.2), probe(0.2), probe(0.6)])
    assert found["a-b"] == PairCosine(pytest.approx(0.2), pytest.approx(sqrt(0.16 / 3)), pytest.approx(1 / 3))


def test_too_few_probes() -> None:
    with pytest.raises(BenchError, match="no probed batch"):
        mean_shares([])
    with pytest.raises(BenchError, match="two probed batches or more; got 1"):
        pair_cosines([probe(0)])
