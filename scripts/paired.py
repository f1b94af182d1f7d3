"""Every row of a committed board against one of them: `python scripts/paired.py rooms_task_norm ls`.

Prints the mean of Δm(row) − Δm(that row) over shared seeds ± half its paired 95 % interval; a star where 0 is outside,
two where it stays outside by Holm's correction for all rows printed. With `--of` that row is one of another board with
the same baselines.
"""

import argparse
from pathlib import Path

from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import difference, holm, leaderboards

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("row", help="the label of the row that all are compared with")
    parser.add_argument("--of", help="the experiment of that row (default: the same)")
    arguments = parser.parse_args()
    roots = [ROOT / "results/reference"]
    boards = leaderboards(find_records(roots), find_entries(roots))
    rows = [row for board in boards if board.experiment == arguments.experiment for row in board.rows]
    other = [
        row for board in boards if board.experiment == (arguments.of or arguments.experiment) for row in board.rows
    ]
    against = next((row for row in other if row.label == arguments.row), None)
    if against is None:
        raise SystemExit(f"No row {arguments.row!r}; there are: {', '.join(row.label for row in other) or 'none'}.")
    compared = [row for row in rows if row is not against and not row.is_single_task]
    found = [(row.label, span) for row in compared if (span := difference(row.per_seed, against.per_seed))]
    adjusted = holm([span.p_value for _, span in found])
    for (label, span), p in zip(found, adjusted, strict=True):
        stars = "" if 0 in span else " **" if p < 0.05 else " *"
        print(f"{label:36} {(span.low + span.high) / 2:+.2f} ±{span.half:.2f}{stars}")


if __name__ == "__main__":
    main()
