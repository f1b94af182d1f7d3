"""How stored numbers are read, held against the rules of the official files, and how that is written down."""

import json

import numpy as np
import pytest
import torch

from mtl_bench.data.encoding import (
    Classes,
    Encoding,
    Index,
    Logarithm,
    NormalBytes,
    Numbers,
    Written,
    chained,
    parse,
    pieces,
    write,
)
from mtl_bench.errors import BenchError

DISPARITY = {"name": "number", "scale": 256, "offset": 1, "invalid": 0}  # Cityscapes, pixels
TASKONOMY = {"name": "number", "scale": 512, "invalid": 65535}  # metres
LOG = {"name": "log", "low": 0.1, "high": 128.0}
NUMBERS = [DISPARITY, TASKONOMY, "int8/127", LOG, {"name": "normal"}, {"name": "normal", "flip": [0, 2]}]
# The 40 classes of NYUv2 to its 13, counted from 1.
TO_13 = [12, 5, 6, 1, 4, 9, 10, 12, 13, 6, 8, 6, 13, 10, 6, 13, 6, 7, 7, 5, 7, 3, 2, 6, 11, *[7] * 6, 6, *[7] * 6, 6, 7]


def decoded(written: Written, stored: np.ndarray) -> np.ndarray:
    return parse(written).decode(torch.from_numpy(stored)).numpy()


def every(dtype: str) -> np.ndarray:
    """All numbers of a type of 8 or 16 bits."""
    return np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype)


@pytest.mark.parametrize(
    ("written", "stored", "expected"),
    [
        ("uint8/255", every("uint8"), np.arange(256) / 255),
        ("int8/127", every("int8"), np.r_[np.nan, np.arange(-127, 128) / 127]),
        ("float", np.array([1.5, np.nan, -2], "f2"), [1.5, np.nan, -2]),
        ("float", np.array([-3, 4]), [-3, 4]),
        (DISPARITY, every("uint16"), np.r_[np.nan, np.arange(65535) / 256]),
        (TASKONOMY, every("uint16"), np.r_[np.arange(65535) / 512, np.nan]),
        ({"name": "number", "scale": 1000, "invalid": 0}, np.array([0, 1, 2345], "u2"), [np.nan, 0.001, 2.345]),
        (
            {"name": "number", "scale": 127.5, "offset": 127},
            np.array([0, 127, 255], "u1"),
            [-127 / 127.5, 0, 128 / 127.5],
        ),
        ({"name": "number", "invalid": 0}, np.array([0, 0.5, np.nan], "f4"), [np.nan, 0.5, np.nan]),
        (LOG, np.array([0, 1, 65535], "u2"), [np.nan, 0.1, 128]),
    ],
)
def test_numbers_follow_the_formula(written: Written, stored: np.ndarray, expected: np.ndarray) -> None:
    before = stored.copy()
    found = decoded(written, stored)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    np.testing.assert_array_equal(stored, before)
    encoding = parse(written)
    np.testing.assert_array_equal(encoding.labelled(stored), ~np.isnan(found))
    assert not encoding.categorical


@pytest.mark.parametrize(
    ("written", "stored", "expected"),
    [
        ("class", np.array([-1, 0, 12], "i1"), [-1, 0, 12]),
        ("class", np.array([0, 255], "u1"), [0, 255]),
        ("class", np.array([np.nan, 2, -1, 0], "f4"), [-1, 2, -1, 0]),
        ({"name": "class", "ignore": [255]}, np.array([0, 254, 255], "u1"), [0, 254, -1]),
        ({"name": "class", "ignore": [-100, 255]}, np.array([-100, 7, 255, -1]), [-1, 7, -1, -1]),
        (
            {"name": "class", "ids": [-1, 4, 4, 0], "ignore": [255]},
            np.array([0, 1, 2, 3, 255], "u1"),
            [-1, 4, 4, 0, -1],
        ),
        ({"name": "class", "ids": [2, 0], "ignore": [-100]}, np.array([-1, -100, 1, 0], "i2"), [-1, -1, 0, 2]),
    ],
)
def test_classes_know_what_is_no_label(written: Written, stored: np.ndarray, expected: list[int]) -> None:
    found = decoded(written, stored)
    assert found.dtype == np.int64
    assert found.tolist() == expected
    encoding = parse(written)
    assert isinstance(encoding, Classes)
    assert encoding.labelled(stored).tolist() == [number >= 0 for number in expected]
    assert encoding.foreign(stored) is None
    assert encoding.span(stored) == (min(expected), max(expected))
    assert encoding.span(stored[:0]) == (-1, -1)


@pytest.mark.parametrize(
    ("written", "stored", "foreign"),
    [
        ("class", np.array([0, -100]), -100),
        ("class", np.array([1, 0.5, np.nan]), 0.5),
        ("class", np.array([1, np.inf]), np.inf),
        ({"name": "class", "ignore": [-100]}, np.array([-100, -2]), -2),
        ({"name": "class", "ids": [0, 1]}, np.array([2, 1], "u1"), 2),
        ({"name": "class", "ids": [0, 1], "ignore": [2]}, np.array([2, 1], "u1"), None),
        ("float", np.array([-100.0, np.nan]), None),
        ("float", np.array([1, -np.inf], "f2"), -np.inf),
        ({"name": "number", "invalid": np.inf}, np.array([1, np.inf]), None),
        (TASKONOMY, np.array([1], "u2"), None),
    ],
)
def test_numbers_without_a_meaning_are_found(written: Written, stored: np.ndarray, foreign: float | None) -> None:
    assert parse(written).foreign(stored) == foreign


def test_tables_are_chained() -> None:
    to_40 = [-1, *np.random.RandomState(0).randint(0, 40, 893), 39]
    to_13 = [number - 1 for number in TO_13]
    both = chained([int(number) for number in to_40], to_13)
    ids = np.arange(895).astype(np.uint16)
    step = Classes(ids=tuple(int(n) for n in to_40)).decode(torch.from_numpy(ids)).numpy()
    expected = np.where(step < 0, -1, np.array(to_13)[step])
    np.testing.assert_array_equal(Classes(ids=both).decode(torch.from_numpy(ids)), expected)
    assert (len(both), max(both), min(both)) == (895, 12, -1)
    with pytest.raises(BenchError, match="cannot follow one that leads to 40"):
        chained([40], to_13)


@pytest.mark.parametrize("flip", [(), (2,), (0, 2)])
def test_normals_are_colours(flip: tuple[int, ...]) -> None:
    stored = np.random.RandomState(1).randint(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    stored[0, :, 1, 2], stored[1, :, 3, 4] = 128, (127, 128, 127)
    expected = 2 * stored.astype(np.float64) / 255 - 1
    expected[:, list(flip)] *= -1
    expected[0, :, 1, 2] = expected[1, :, 3, 4] = np.nan
    encoding = NormalBytes(flip)
    np.testing.assert_allclose(encoding.decode(torch.from_numpy(stored)), expected, atol=1e-6)
    np.testing.assert_array_equal(encoding.labelled(stored), ~np.isnan(expected))


@pytest.mark.parametrize("written", NUMBERS, ids=str)
def test_encode_inverts_decode_and_writes_the_blank(written: Written) -> None:
    encoding = parse(written)
    stored = every(encoding.dtype or "uint16")
    stored = np.broadcast_to(stored[:, None, None, None], (len(stored), 3, 1, 1))
    stored = np.array(stored if encoding.dtype != "uint8" else stored[[*range(127), *range(129, 256)]])
    values = encoding.decode(torch.from_numpy(stored))
    back = encoding.encode(values).numpy().astype(stored.dtype)
    np.testing.assert_array_equal(back, stored)
    values[0] = torch.nan
    assert (encoding.encode(values)[0] == encoding.blank).all()


def test_a_logarithm_is_as_fine_near_as_far() -> None:
    encoding = Logarithm(0.1, 128.0)
    depth = torch.tensor([0.1, 0.3333, 7.77, 127.9])
    assert ((encoding.decode(encoding.encode(depth)) / depth - 1).abs() < 6e-5).all()
    assert encoding.encode(torch.tensor([0.01, 1000.0])).tolist() == [1, 65535]


@pytest.mark.parametrize(
    ("encoding", "values", "stored"),
    [
        (parse("int8/127"), [1.005, -1.01, 1.0, np.nan], [127, -127, 127, -128]),
        (parse("uint8/255"), [1.01, -0.01, 1.0], [255, 0, 255]),
        (Numbers(512, invalid=65535, dtype="uint16"), [128.0, -1.0, np.nan], [65534, 0, 65535]),
        (Numbers(256, 1, invalid=0, dtype="uint16"), [300.0, -1.0, np.nan], [65535, 1, 0]),
        (Numbers(dtype="float32"), [1e9, np.nan], [1e9, np.nan]),
    ],
)
def test_what_lies_beyond_a_type_becomes_its_last_label(
    encoding: Encoding, values: list[float], stored: list[float]
) -> None:
    found = encoding.encode(torch.tensor(values)).numpy().astype(encoding.dtype)
    np.testing.assert_array_equal(found, stored)


def test_vectors_that_are_too_long_do_not_wrap_around() -> None:
    vector = torch.tensor([1.01, -1.01, 0.0]).view(1, 3, 1, 1)
    assert NormalBytes().encode(vector).flatten().tolist() == [255, 0, 128]
    assert NormalBytes((0,)).encode(vector).flatten().tolist() == [0, 0, 128]


@pytest.mark.parametrize("word", ["uint8/255", "int8/127", "float", "class", "index"])
def test_words_of_old_manifests_stay(word: str) -> None:
    assert write(parse(word)) == word


@pytest.mark.parametrize(
    "encoding",
    [
        Numbers(512, invalid=65535),
        Classes((255,), (0, -1, 3)),
        Classes((255,)),
        Logarithm(0.5, 80),
        NormalBytes(),
        NormalBytes((2,)),
        NormalBytes([2]),  # type: ignore[arg-type]
        Classes([np.int64(255)], np.array([0, 1, -1])),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_the_written_form_is_plain_json(encoding: Encoding) -> None:
    written = json.loads(json.dumps(write(encoding)))
    assert parse(written) == encoding
    assert hash(parse(written)) == hash(encoding)
    assert write(parse(written)) == written


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("uint9", "'uint9' is unknown; choose among uint8/255, int8/127, float, class, index"),
        ({"name": "log10"}, "is unknown; choose among"),
        ({}, "is unknown; choose among"),
        ({"name": "class", "ignored": [1]}, "`class` takes ignore, ids"),
        ({"name": "log", "low": 1}, "`log` takes low, high"),
        ({"name": "log", "low": 2, "high": 1}, "needs 0 < low < high"),
        ({"name": "number", "scale": 0}, "above 0 and finite, got 0"),
        ({"name": "number", "scale": "512"}, "`number` takes scale"),
        ({"name": "class", "ignore": [0.5]}, "`ignore` of an encoding is a list of whole numbers, got (0.5,)"),
        ({"name": "class", "ignore": 255}, "`ignore` of an encoding is a list of whole numbers, got 255"),
        ({"name": "class", "ids": [0, -2]}, "or to -1 for none; got -2"),
        ({"name": "normal", "flip": [3]}, "names channels 0, 1 or 2"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(written: Written, said: str) -> None:
    with pytest.raises(BenchError) as refusal:
        parse(written)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_encoding_from_outside_has_no_written_form() -> None:
    class Odd(Index):
        pass

    with pytest.raises(BenchError, match="Odd has no written form"):
        write(Odd())


@pytest.mark.parametrize("written", ["class", {"name": "class", "ignore": [3], "ids": [0, 1]}, *NUMBERS], ids=str)
def test_nothing_is_read_back_from_the_device(written: Written) -> None:
    """The meta device has no values: reading one raises."""
    encoding = parse(written)
    stored = torch.empty((2, 3, 4, 5), dtype=torch.int8 if encoding.dtype == "int8" else torch.int32, device="meta")
    assert encoding.decode(stored).shape == stored.shape


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("written", ["class", {"name": "class", "ignore": [3], "ids": [0, 1]}, *NUMBERS], ids=str)
def test_a_gpu_reads_the_same_and_is_not_waited_for(written: Written) -> None:
    encoding = parse(written)
    stored = torch.randint(0, 2, (2, 3, 4, 5), dtype=torch.int8 if encoding.dtype == "int8" else torch.int32)
    here = stored.to("cuda")
    encoding.decode(here)  # sends its table, once
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = encoding.decode(here)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.cpu(), encoding.decode(stored), equal_nan=True)


def test_pieces_cover_an_array_and_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_bench.data.encoding.base.PIECE", 100)
    array = np.arange(70, dtype=np.int64).reshape(35, 2)
    found = list(pieces(array))
    assert max(piece.nbytes for piece in found) <= 100
    np.testing.assert_array_equal(np.concatenate(found), array)
    assert not list(pieces(array[:0]))
