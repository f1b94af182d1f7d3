"""Make the committed tables again: `python scripts/update_boards.py`.

Types every `mtl-bench report … --markdown results/leaderboard/…` of `docs/boards/`, and puts what `mtl-bench report`
prints for the README's board into its block. `--into FOLDER` writes there instead, to compare.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLES = "results/leaderboard/"
BLOCK = re.compile(r"(```bash\n(mtl-bench report results/[^\n]*)\n```\n\n```text\n).*?(?=```)", re.S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=ROOT, help="folder that gets README.md and results/leaderboard")
    into: Path = parser.parse_args().into.resolve()
    (into / TABLES).mkdir(parents=True, exist_ok=True)
    for command in commands():
        typed(command.replace(TABLES, f"{shlex.quote(str(into))}/{TABLES}"))
    text = (ROOT / "README.md").read_text()
    (into / "README.md").write_text(BLOCK.sub(lambda match: match[1] + typed(match[2]), text))


def commands() -> list[str]:
    pages = sorted((ROOT / "docs/boards").glob("*.md"))
    lines = [line for page in pages for line in page.read_text().splitlines()]
    return [line for line in lines if line.startswith("mtl-bench report") and "--markdown" in line]


def typed(command: str) -> str:
    """What it prints, typed into a terminal of 100 columns in the repository."""
    line = command.replace("mtl-bench", f"{shlex.quote(sys.executable)} -m mtl_bench.cli", 1)
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


if __name__ == "__main__":
    main()
