import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_bench.errors import BenchError
from mtl_bench.tasks.encodings import Affine, HeadUnits, Log
from tests.tasks.maps import depths, numbers, outputs

ENCODINGS = [
    Affine(),
    Affine(0.5, 0.5),
    Affine([1, 2, 3], [0.1, 1, 10]),
    Affine([1, 2, 3], 2.0, [-1, 1]),
    Log(10),
    Log(128),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_decode_inverts_encode(encoding: HeadUnits) -> None:
    target = numbers(3, share=0.0).double()
    assert torch.allclose(encoding.decode(encoding.encode(target)), target, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nan_stays_nan_and_the_type_stays(encoding: HeadUnits) -> None:
    target = numbers(3)
    encoded = encoding.encode(target)
    assert torch.equal(encoded.isnan(), target.isnan())
    assert encoded.dtype == torch.float32
    assert encoding.decode(encoded.double()).dtype == torch.float64


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_wild_outputs_stay_finite(encoding: HeadUnits) -> None:
    assert encoding.decode(1e6 * outputs(3).double()).isfinite().all()


def test_affine_by_channel() -> None:
    target = torch.tensor([3.0, 5.0]).view(1, 2, 1, 1)
    assert Affine([1, 2], [2, 3]).encode(target).flatten().tolist() == [1, 1]
    assert Affine(1, 2).encode(target).flatten().tolist() == [1, 2]
    assert Affine([1, 2], [2, 3]).decode(torch.ones_like(target)).flatten().tolist() == [3, 5]


def test_clipped_values_count_as_the_ends() -> None:
    clipped = Affine(0, 2, [-1, 1])
    assert clipped.encode(torch.tensor([-5.0, 0.5, 9.0])).tolist() == [-0.5, 0.25, 0.5]
    assert clipped.decode(torch.tensor([-5.0, 0.25, 9.0])).tolist() == [-1, 0.5, 1]


@given(metres=st.floats(0, 10), top=st.floats(10, 1000))
def test_log_is_the_published_form(metres: float, top: float) -> None:
    found = Log(top).encode(torch.tensor(metres, dtype=torch.float64)).item()
    assert found == pytest.approx(math.log(1 + metres) / math.log(1 + top), abs=1e-12)


def test_log_clips_to_its_range() -> None:
    assert Log(10).encode(torch.tensor([-3.0, 0.0, 10.0, 99.0])).tolist() == pytest.approx([0, 0, 1, 1])
    assert Log(10).decode(torch.tensor([-3.0, 0.0, 1.0, 99.0])).tolist() == pytest.approx([0, 0, 10, 10])
    assert Log(10).encode(depths(share=0.0)).max() <= 1


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Affine(scale=0), "scale of an encoding is above 0"),
        (lambda: Affine(scale=[1, -1]), "scale of an encoding is above 0"),
        (lambda: Affine(clip=[1, 1]), r"clip of an encoding is \[low, high\]"),
        (lambda: Affine(clip=[1]), r"clip of an encoding is \[low, high\]"),
        (lambda: Log(0), "top of a log encoding is above 0"),
        (lambda: Log(math.inf), "top of a log encoding is above 0"),
    ],
)
def test_wrong_arguments_of_encodings(build: type, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        build()
