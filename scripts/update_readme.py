"""Put the tables of the committed records into the README: `python scripts/update_readme.py`.

The table between `<!-- experiment -->` and `<!-- /experiment -->` becomes the one that `mtl-bench report` gives now.
"""

import re
from pathlib import Path

from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import leaderboards, markdown

ROOT = Path(__file__).parents[1]


def main() -> None:
    path = ROOT / "README.md"
    text = path.read_text()
    roots = [ROOT / "results/reference"]
    for board in leaderboards(find_records(roots), find_entries(roots)):
        table = "\n".join(line for line in markdown(board).splitlines() if line.startswith("|"))
        text, found = re.subn(
            rf"(<!-- {board.experiment} -->\n(?:[^|\n].*\n|\n)*)(?:\|.*\n)*(<!-- /{board.experiment} -->)",
            lambda match, table=table: f"{match[1]}{table}\n{match[2]}",
            text,
        )
        print(f"{board.experiment}: {'updated' if found else 'no place for it in the README'}")
    path.write_text(text)


if __name__ == "__main__":
    main()
