"""What the README shows is what the commands beside it give."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import leaderboards, markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("mtl-bench train")
]
ROOTS = [ROOT / "results" / "reference"]
BASELINES = "ls uw pcgrad mgda"
CONTROLS = "round_robin random_groups ls_repeated"
GRID = {  # experiment → seeds and rows that its board holds at least
    **dict.fromkeys(("multimnist", "multifashion", "multifashion_mnist"), (5, f"{BASELINES} dwa famo")),
    "rooms": (5, f"{BASELINES} dwa famo graddrop"),
    "rooms11": (3, f"{BASELINES} dwa famo graddrop stgu stgu_causal {CONTROLS}"),
    "rooms11_task_norm": (3, f"{BASELINES} cso round_robin"),
    "multifashion_mnist_task_norm": (3, f"{BASELINES} cso stgu stgu_causal {CONTROLS}"),
    "rooms_task_norm": (5, f"{BASELINES} cso stgu stgu_causal {CONTROLS}"),
    "rooms_equal_passes": (5, f"{BASELINES} cso {CONTROLS}"),
}
BOARDS = leaderboards(find_records(ROOTS), find_entries(ROOTS))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.experiment)
def test_tables_are_derived_from_the_committed_records(board: object) -> None:
    table = [line for line in markdown(board).splitlines() if line.startswith("|")]  # type: ignore[arg-type]
    assert "\n".join(table) in README


def test_the_answer_key_is_derived_from_the_committed_records(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts/answer_key.py", "--out", tmp_path], check=True)
    assert (tmp_path / "README.md").read_text() == (ROOT / "results/grouping/README.md").read_text()


@pytest.mark.parametrize("experiment", GRID)
def test_the_reference_grid_is_complete(experiment: str) -> None:
    seeds, labels = GRID[experiment]
    (board,) = (board for board in BOARDS if board.experiment == experiment)
    found = {row.label.partition(" (phase")[0]: set(row.converged) for row in board.rows}
    assert {
        label for label in ("single-task", *labels.split()) if not set(range(seeds)) <= found.get(label, set())
    } == set()


def test_single_task_multimnist_reaches_the_literature() -> None:
    records = [
        r for r in find_records([ROOT / "results" / "reference" / "multimnist" / "single"]) if "left" in r["test"]
    ]
    accuracies = [record["test"]["left"]["accuracy"] for record in records]
    assert len(accuracies) == 5
    assert sum(accuracies) / 5 >= 97.0


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_compose(command: str) -> None:
    arguments = shlex.split(command)[2:]
    if "--config-dir" in arguments or any("my_file" in argument for argument in arguments):
        pytest.skip("needs the reader's own files; tests/cli/test_own_parts.py runs it")
    first = re.compile(r"=([\w.]+|\[[^]]*\]),.*")  # of a sweep
    overrides = [first.sub(r"=\1", argument) for argument in arguments if not argument.startswith("-")]
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        config = compose("train", overrides=overrides)
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
