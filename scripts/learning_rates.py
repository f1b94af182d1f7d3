"""Learning rates chosen per method on validation: `python scripts/learning_rates.py`.

Prints the mean validation Δm of every method at every learning rate under results/tuning, the best one in bold, as a
Markdown table. The seeds there are for choosing alone: what the chosen rate is worth is read off other seeds, on test.
Each tuning run is compared with the same single-task runs as the boards are, at their own learning rate.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from mtl_bench.records.record import Record, find_records
from mtl_bench.results import delta_m
from mtl_bench.results.entries import Run, by_hash
from mtl_bench.results.table_text import markdown_table, signed_number

ROOT = Path(__file__).parents[1]
Table = dict[str, dict[str, float]]


def main() -> None:
    single = by_hash(find_records([ROOT / "results/reference"]))  # copies of a run count once
    found: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in find_records([ROOT / "results/tuning"]):
        rate = float(record["config"]["protocol"]["training"]["optimizer"]["lr"])
        found[record["method"]["name"]][rate].append(_gain(record, single))
    rates = sorted({rate for method in found.values() for rate in method})
    rows = []
    for name, by_rate in sorted(found.items()):
        best = max(by_rate, key=lambda rate: fmean(by_rate[rate]))
        cells = [_cell(by_rate.get(rate), rate == best and len(by_rate) == len(rates)) for rate in rates]
        rows.append([name, *cells, str(min(map(len, by_rate.values())))])
    print(markdown_table(["method", *(f"{rate:g}" for rate in rates), "seeds"], rows))


def _gain(record: Record, single: Mapping[str, Run]) -> float:
    """Validation Δm of one run."""
    runs = {task: list(single[digest].values()) for task, digest in record["baselines"].items()}
    baseline: Table = {
        task: {metric: fmean(run["val"][task][metric] for run in of) for metric in of[0]["val"][task]}
        for task, of in runs.items()
    }
    better = {
        task: {metric: spec["higher_is_better"] for metric, spec in metrics.items()}
        for task, metrics in record["metrics"].items()
    }
    return delta_m(record["val"], baseline, better, record["delta_m"]["definition"], record["delta_m"]["terms"])


def _cell(gains: list[float] | None, best: bool) -> str:
    if not gains:
        return "–"
    text = signed_number(fmean(gains))
    return f"**{text}**" if best else text


if __name__ == "__main__":
    main()
