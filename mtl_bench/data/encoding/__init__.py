"""How stored numbers become values: one `Encoding` per field."""

from mtl_bench.data.encoding.base import Encoding, pieces
from mtl_bench.data.encoding.classes import Classes, Index, chained
from mtl_bench.data.encoding.numbers import Logarithm, NormalBytes, Numbers
from mtl_bench.data.encoding.written import Written, parse, write

__all__ = [
    "Classes",
    "Encoding",
    "Index",
    "Logarithm",
    "NormalBytes",
    "Numbers",
    "Written",
    "chained",
    "parse",
    "pieces",
    "write",
]
