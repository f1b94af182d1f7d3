"""What a packed dataset holds, counted: shares of classes and of labels, and how two fields go together."""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, from_numpy

from mtl_bench.data.encoding import pieces
from mtl_bench.data.fields import Field
from mtl_bench.data.packed import Packed
from mtl_bench.errors import BenchError


def labelled_share(packed: Packed, split: str, name: str) -> float:
    """How many of a field's elements (pixels, of every channel) have a label: from 0 to 1, NaN in an empty split.

    Raises BenchError for an unknown split or field.
    """
    field, array = _stored(packed, split, name)
    known = sum(int(field.encoding.labelled(piece).sum()) for piece in pieces(array))
    return known / array.size if array.size else float("nan")


def class_shares(packed: Packed, split: str, name: str, classes: int) -> Float[np.ndarray, "classes"]:
    """How many of all elements each class has, from 0 to 1; elements without a label count, but for no class.

    Raises BenchError for an unknown split or field, one that holds no classes, and for a class beyond `classes`.
    """
    field, array = _stored(packed, split, name)
    if not field.encoding.categorical:
        raise BenchError(f"The field `{name}` of {packed.manifest.name} holds no classes, so none can be counted.")
    counts = np.zeros(classes, dtype=np.int64)
    for piece in pieces(array):
        found = _decoded(field, piece)
        here = np.bincount(found[found >= 0].ravel(), minlength=classes)
        if len(here) > classes:
            raise BenchError(f"The field `{name}` of {packed.manifest.name} holds class {len(here) - 1} of {classes}.")
        counts += here
    return counts / array.size if array.size else np.full(classes, np.nan)


def correlation(packed: Packed, split: str, first: str, second: str) -> float:
    """Pearson's, of two fields of one shape in their units, over the elements with a label in both; all in memory.

    NaN where either has one value only. Raises BenchError for an unknown split or field, and for two shapes.
    """
    (one, a), (other, b) = (_stored(packed, split, name) for name in (first, second))
    if a.shape != b.shape:
        raise BenchError(f"The fields `{first}` {a.shape} and `{second}` {b.shape} have no elements in common.")
    known: Bool[np.ndarray, "samples *shape"] = one.encoding.labelled(a) & other.encoding.labelled(b)
    values = [_decoded(field, array)[known].astype(np.float64) for field, array in ((one, a), (other, b))]
    if min(len(np.unique(part)) for part in values) < 2:
        return float("nan")
    return float(np.corrcoef(*values)[0, 1])


def _stored(packed: Packed, split: str, name: str) -> tuple[Field, Shaped[np.ndarray, "samples *shape"]]:
    arrays = packed.arrays(split)
    if name not in arrays:
        raise BenchError(f"Dataset {packed.manifest.name} has no field `{name}`; it has {', '.join(arrays)}.")
    return packed.manifest.fields[name], arrays[name]


def _decoded(field: Field, stored: Shaped[np.ndarray, "samples *shape"]) -> Shaped[np.ndarray, "samples *shape"]:
    values: Tensor = field.encoding.decode(from_numpy(np.array(stored)))
    return values.numpy()
