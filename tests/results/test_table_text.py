"""Tables and numbers of pages."""

from mtl_bench.results import Interval
from mtl_bench.results.table_text import markdown_table, signed_interval, signed_number


def test_numbers_stand_on_the_right() -> None:
    rows = [["a", "1", "x"], ["b", "2", "y"]]
    assert markdown_table(["what", "count", "said"], rows, text=(0, 2)) == (
        "| what | count | said |\n| --- | ---: | --- |\n| a | 1 | x |\n| b | 2 | y |"
    )
    assert markdown_table(["what", "count"], []) == "| what | count |\n| --- | ---: |"


def test_signs() -> None:
    assert signed_number(1.234) == "+1.23"
    assert signed_number(-0.5, places=1) == "−0.5"
    assert signed_interval(Interval(-3.0, 1.0, 4)) == "−1.00 ±2.00"
