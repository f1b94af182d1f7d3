"""What a search says of how much its method forgives, by hand."""

from math import inf
from typing import Any

from mtl_bench.results.search_spread import SearchSpread, search_spread, searches_part
from tests.results.test_budget_curve import study


def test_of_drawn_trials_alone() -> None:
    found = search_spread(study(1.0, -5.0, 2.0, 1.0, None, 0.9))  # within 1 of 2: itself and 1.0
    assert found == SearchSpread(first=1.0, best=2.0, median=0.9, near=2 / 5, lost=1 / 5)


def test_most_trials_may_be_lost() -> None:
    found = search_spread(study(-1.0, None, None, -3.0))
    assert found == SearchSpread(first=-1.0, best=-1.0, median=-inf, near=0, lost=2 / 3)


def test_a_card_shows_the_searches_of_its_method_that_are_over() -> None:
    def entry(name: str, **changes: Any) -> Any:
        tuning = {"trials": 3, "epochs": None, "studies": [study(0.5, 0.25, None)]}
        return {"id": name, "experiment": {"name": "toys"}, "tuning": tuning, "groups": [{}], "value": 1.0, **changes}

    files = [
        entry("tuned-imtl_g-0123abcd"),
        entry("tuned-imtl-0123abcd"),
        entry("tuned-imtl_g-ffffffff", groups=[]),
        entry("tuned-imtl_g-eeeeeeee", tuning={"trials": 1, "epochs": None, "studies": [study(0.5)]}),
        {"id": "tag-imtl_g-0123abcd", "groups": [{}]},
    ]
    part = searches_part("imtl_g", files)
    assert part.rows == (("toys, tuned-3", "+0.50", "+0.50", "–", "50%", "50%"),)
    assert searches_part("uw", files).sentences == ("No committed search holds it.",)
