"""What one stored array holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_bench.data.encoding import Encoding, NormalBytes, Written, parse, write
from mtl_bench.errors import BenchError

# Torch picks rows of nothing else (of 16 bits without a sign as if they had one); text is no number.
TYPES = ("bool", "uint8", "uint16", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
KINDS = ("", "map", "depth", "normal")
Arrays = Mapping[str, np.ndarray]  # by field, each [samples, *shape], as stored


@dataclass(frozen=True, init=False)
class Field:
    """What one stored array holds.

    `dtype` is NumPy's name of the stored type, `shape` the shape of one sample. `encoding` says how stored numbers are
    read, as an object or as it is written: `uint8/255` (to [0, 1]), `class` (whole numbers, -1 = unlabelled), `float`
    (NaN = unlabelled), `int8/127` (to [-1, 1], -128 = unlabelled), `index` (bookkeeping, never a target), or a name
    with arguments, such as `{"name": "number", "scale": 512, "invalid": 65535}`; see `mtl_bench.data.encoding`. `unit`
    is the unit after decoding, empty where there is none.

    `kind` says what a change of the picture's geometry does to the values: `""` nothing, they are about the whole
    image; `map` they move with their pixels; `depth` they move and are distances from the camera or their inverse;
    `normal` they move and are unit vectors in the camera's frame (x right, y down, z away).

    Raises BenchError for another kind, for normals that are not three channels, for an unknown encoding, for a type
    that it is not stored in, and for one that no batch can be made of (but for bookkeeping, which never is in one).
    """

    dtype: str
    shape: tuple[int, ...]
    encoding: Encoding
    unit: str
    kind: str

    def __init__(
        self, dtype: str, shape: tuple[int, ...], encoding: Encoding | Written, unit: str = "", kind: str = ""
    ) -> None:
        encoding = encoding if isinstance(encoding, Encoding) else parse(encoding)
        values = {"dtype": dtype, "shape": tuple(shape), "encoding": encoding, "unit": unit, "kind": kind}
        self.__dict__.update(values)  # a frozen object has no other way
        if kind not in KINDS:
            raise BenchError(f"The kind of a field is one of {', '.join(map(repr, KINDS))}, got {kind!r}.")
        if (kind == "normal" or isinstance(encoding, NormalBytes)) and (len(shape) != 3 or shape[0] != 3):
            raise BenchError(f"A field of kind 'normal' has the shape (3, height, width), got {shape}.")
        if encoding.target and dtype not in TYPES:
            raise BenchError(f"A field of images or labels is stored as one of {', '.join(TYPES)}, got {dtype!r}.")
        if encoding.dtype not in ("", dtype):
            raise BenchError(f"The encoding {write(encoding)!r} is stored as {encoding.dtype}, got {dtype}.")

    @property
    def written(self) -> dict[str, Any]:
        """Plain JSON: the arguments of the constructor."""
        return {**self.__dict__, "encoding": write(self.encoding)}


def is_target(name: str, field: Field) -> bool:
    """Whether tasks may predict it; the input may be stored as floats too."""
    return name != "image" and field.encoding.target


def mismatch(place: str, arrays: Arrays, fields: Mapping[str, Field], count: int) -> str:
    """What is wrong with the arrays of `count` samples of `place`, "split `test`"; empty when nothing is."""
    for name, field in fields.items():
        if name not in arrays:
            return f"{place} has no field `{name}`"
        found = (str(arrays[name].dtype), arrays[name].shape)
        if found != (field.dtype, (count, *field.shape)):
            expected = f"{field.dtype} {[count, *field.shape]}"
            return f"field `{name}` of {place} is {found[0]} {list(found[1])} instead of {expected}"
    return ""


def strange(place: str, name: str, field: Field, array: np.ndarray) -> str:
    """Which stored number of a field has no meaning in its encoding, or none in an image; empty when all have one."""
    number = field.encoding.foreign(array)
    if name == "image" and array.dtype.kind == "f" and np.isnan(array).any():
        number = np.nan
    if number is None:
        return ""
    holds = f"field `{name}` of {place} holds"
    if name == "image":
        return f"{holds} {number:g}; every pixel of an image is a finite number: fill those that are none"
    if field.encoding.categorical:
        return (
            f"{holds} the label {number:g}; classes count from 0, and -1 is no label: let "
            'its encoding `ignore` other numbers that mean none ({"name": "class", "ignore": [-100, 255]})'
        )
    return f"{holds} {number:g}; labels are finite: store {field.encoding.blank:g} where there is none"


def unfit(place: str, arrays: Arrays, fields: Mapping[str, Field], count: int) -> str:
    """What `mismatch` or `strange` says of any field first."""
    if wrong := mismatch(place, arrays, fields, count):
        return wrong
    return next(filter(None, (strange(place, name, field, arrays[name]) for name, field in fields.items())), "")
