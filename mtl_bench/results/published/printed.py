"""One number as a paper prints it: its last digit says how far it was rounded. Exact fractions, no floating point."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property

from mtl_bench.errors import BenchError

Range = tuple[Fraction, Fraction]
HIGHER = {"higher": True, "lower": False}


@dataclass(frozen=True)
class Printed:
    """A cell of a published table. `spread` is what stands behind its ±, and `seeds` how many runs it is the mean of;
    None where the paper prints none."""

    text: str
    higher_is_better: bool
    spread: float | None = None
    seeds: int | None = None

    @cached_property
    def value(self) -> Fraction:
        return Fraction(Decimal(self.text))

    @cached_property
    def places(self) -> int:
        return max(0, -int(Decimal(self.text).as_tuple().exponent))

    @cached_property
    def half(self) -> Fraction:
        """Half a unit of the last digit."""
        return Fraction(1, 2 * 10**self.places)

    @cached_property
    def range(self) -> Range:
        """Every number that is printed like this one."""
        return self.value - self.half, self.value + self.half

    @property
    def sign(self) -> int:
        return 1 if self.higher_is_better else -1


def read_printed(row: Mapping[str, str], place: str) -> Printed | None:
    """The cell of one line of a CSV file; None where the paper prints none. `place` comes first in the BenchError."""
    if not row["value"]:
        return None
    try:
        found = Printed(
            row["value"],
            HIGHER[row["direction"]],
            float(row["std"]) if row["std"] else None,
            int(row["seeds"]) if row["seeds"].isdigit() else None,
        )
        found.value  # noqa: B018  # a text that is no number is found here and not in the middle of a table
    except (KeyError, ValueError, OverflowError, InvalidOperation) as error:
        raise BenchError(
            f"{place}, {row['method']}, {row['metric']}: {row['direction']!r} {row['value']!r} ± {row['std']!r} is not "
            "'higher' or 'lower' with a number; copy the row as printed."
        ) from error
    return found
