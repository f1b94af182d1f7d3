"""Do method orders transfer between boards? `python scripts/transfer.py [record folders]` prints one Markdown table."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mtl_bench.cli.preset_label import preset_label
from mtl_bench.errors import BenchError
from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results.published import published_orders
from mtl_bench.results.transfer import board_orders
from mtl_bench.results.transfer_table import transfer_table

RESULTS = Path(__file__).parents[1] / "results"
NOTES = """
- τ-b: Kendall's rank correlation of mean Δm over the methods on both boards, listed best first as on the first one.
1: the same order, 0: as many pairs reversed as kept, −1: the reverse. A method with a diverged seed ranks last.
- Over seeds: what other seeds on our boards could make of τ for exactly these methods (pairs of methods that Tukey's
test leaves open may stand either way); a published order is taken as printed. Not the sampling of the test set.
- Over methods: τ among all methods one could have compared, these being a sample of them (Gaussian copula). Not the
choice of boards or hyper-parameters.
- Ties joined: methods that tie with the best of the shared ones (95 % interval of the difference contains 0) share its
place; "all tie" where no order is left."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[RESULTS / "reference"], help="where records lie")
    parser.add_argument("--published", type=Path, default=RESULTS / "published", help="folder of published tables")
    parsed = parser.parse_args(arguments)
    try:
        found = board_orders(find_records(parsed.folders), preset_label, find_entries(parsed.folders))
        boards = [order for order in found if len(order.delta_m) > 1]
        orders = [*boards, *published_orders(parsed.published)]
        print(transfer_table(orders) + NOTES)
    except BenchError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
