"""Numbers and tables as pages of results write them."""

from collections.abc import Collection, Iterable, Sequence

from mtl_bench.results.intervals import Interval


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], text: Collection[int] = (0,)) -> str:
    """GitHub Markdown without a line end behind it; columns hold numbers, right-aligned, but for those in `text`."""
    rule = ["---" if column in text else "---:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def signed_number(value: float, places: int = 2) -> str:
    """`+1.23`, `−0.50`: with a minus that is as wide as the plus, and none before what rounds to 0."""
    return f"{value:+z.{places}f}".replace("-", "−")


def signed_interval(span: Interval) -> str:
    """`+1.23 ±0.40`: the middle and half the width."""
    return f"{signed_number(span.centre)} ±{span.half:.2f}"
