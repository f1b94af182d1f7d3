"""The table of transfers: one row per pair of boards, numbers as they are known."""

from mtl_bench.results.transfer import Order
from mtl_bench.results.transfer_table import transfer_table


def order(name: str, methods: str) -> Order:
    """The methods are letters, best first."""
    return Order(name, {method: -float(place) for place, method in enumerate(methods)})


def test_rows_of_every_pair() -> None:
    head, _, *rows = transfer_table([order("x", "abcd"), order("y", "abdc"), order("z", "q")]).splitlines()
    assert head.startswith("| Boards | Methods | τ-b |")
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [row[0] for row in cells] == ["x × y", "x × z", "y × z"]
    assert cells[0][1:4] == ["4", "+0.67", "–"]  # five of six pairs kept; without seeds no interval over them
    assert cells[0][-1] == "a, b, c, d"
    assert cells[1][1:] == ["0", "–", "too few", "too few", "–", "–"]


def test_minus_is_a_minus() -> None:
    assert "| −1.00 |" in transfer_table([order("x", "abcd"), order("y", "dcba")])
