"""How much a method forgives: what the trials of its searches say beside the best of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

from mtl_bench.records.entry import EntryFile, Study
from mtl_bench.results.card_parts import CardPart
from mtl_bench.results.render import NOTHING
from mtl_bench.results.table_text import signed_number
from mtl_bench.results.tuned_rows import is_over, short_budget

NEAR = 1.0  # percent of Δm: a trial so close to the best is as good


@dataclass(frozen=True)
class SearchSpread:
    """Scores of one search in percent. `median` is of the drawn trials, −∞ where most of them did not converge; `near`
    is the share of them within NEAR of the best, and `lost` the share that did not converge."""

    first: float
    best: float
    median: float
    near: float
    lost: float


def search_spread(study: Study) -> SearchSpread:
    """Of a search with at least one drawn trial, of which some trial converged."""
    first, *drawn = (-inf if trial["score"] is None else trial["score"] for trial in study["trials"])
    best = max(first, *drawn)
    near = sum(score >= best - NEAR for score in drawn) / len(drawn)
    lost = sum(score == -inf for score in drawn) / len(drawn)
    return SearchSpread(first, best, float(median(drawn)), near, lost)


def searches_part(method: str, files: Sequence[EntryFile]) -> CardPart:
    """Every search of the method that is over and drew a trial."""
    own = [file for file in files if _tuned_method(file) == method]
    title, found = "Sensitivity", [file for file in own if is_over(file) and file["tuning"]["trials"] > 1]
    if not found:
        return CardPart(title, ("No committed search holds it.",))
    lines = []
    for file in sorted(found, key=lambda file: (file["experiment"]["name"], file["id"])):
        (study,) = file["tuning"]["studies"]
        spread = search_spread(study)
        lines.append(
            (
                f"{file['experiment']['name']}, {short_budget(file['tuning'])}",
                _score(spread.best),
                _score(spread.first),
                _score(spread.median),
                f"{spread.near:.0%}",
                f"{spread.lost:.0%}",
            )
        )
    told = (
        "Validation Δm in % of the trials of its searches, one seed each: the best, the configuration as it stands, "
        f"and the median of those drawn; how many of these lie within {NEAR:g} % of the best, and how many did not "
        "converge. Learning rates are drawn alike for all methods; what else is drawn is the method's own space.",
    )
    head = ("board", "best", "as it\nstands", "median", "near\nthe best", "lost")
    return CardPart(title, told, head, tuple(lines))


def _tuned_method(file: EntryFile) -> str | None:
    """From the entry's name, tuned-METHOD-HASH; None for other entries."""
    return file["id"].removeprefix("tuned-").rpartition("-")[0] if "tuning" in file else None


def _score(value: float) -> str:
    return NOTHING if value == -inf else signed_number(value)
