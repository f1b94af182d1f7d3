"""Boards, in the README and in the documentation, are what the commands beside them give."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.configuration.suite_grid import suites_of
from mtl_bench.records.entry import find_entries
from mtl_bench.records.record import find_records
from mtl_bench.results import Board, leaderboards
from mtl_bench.results.render import title
from tests.docs.pages import DOCS, ROOT, blocks

RESULTS = ROOT / "results"
PAGES = sorted((DOCS / "boards").glob("*.md"))
TRAININGS = sorted(
    {c for page in PAGES for b in blocks(page) for c in b.commands if re.match("mtl-bench (train|group)", c)}
)
BASELINES = "ls uw pcgrad mgda"
CHEAP = "dwa famo graddrop si imtl_l stch"
CONTROLS = "round_robin random_groups ls_repeated"
GRID = {  # experiment → seeds and rows that its board holds at least
    **dict.fromkeys(("multimnist", "multifashion", "multifashion_mnist"), (5, f"{BASELINES} dwa famo")),
    "rooms": (5, f"{BASELINES} dwa famo graddrop"),
    "rooms11": (
        3,
        f"{BASELINES} {CHEAP} rlw gls dtp go4align gradnorm cagrad stgu stgu_causal {CONTROLS}",
    ),
    **dict.fromkeys(("rooms11_2", "rooms11_5"), (3, f"{BASELINES} {CHEAP}")),
    **dict.fromkeys(("multimnist_equal_passes", "multifashion_mnist_equal_passes"), (5, "ls")),
    "rooms11_equal_passes": (3, "ls"),
    "rooms11_task_norm": (3, f"{BASELINES} cso round_robin"),
    "multifashion_mnist_task_norm": (3, f"{BASELINES} cso stgu stgu_causal {CONTROLS}"),
    "rooms_task_norm": (5, f"{BASELINES} cso stgu stgu_causal {CONTROLS}"),
    "rooms_equal_passes": (5, f"{BASELINES} cso stgu stgu_causal {CONTROLS}"),
    "rooms_head_lr3": (5, "ls stgu stgu_causal"),
    "sarcos": (5, f"{BASELINES} dwa famo cagrad nash_mtl"),
}
BOARDS = leaderboards(find_records([RESULTS / "reference"]), find_entries([RESULTS / "reference"]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands of the pages write now."""
    folder = tmp_path_factory.mktemp("boards")
    subprocess.run([sys.executable, ROOT / "scripts/update_boards.py", "--into", folder], check=True)
    return folder


def test_tables_are_derived_from_the_committed_records(made: Path) -> None:
    written = sorted((made / "results/leaderboard").glob("*.md"))
    assert [path.name for path in written] == sorted(path.name for path in (RESULTS / "leaderboard").glob("*.md"))
    for path in written:
        assert path.read_text() == (RESULTS / "leaderboard" / path.name).read_text(), path.name


def test_the_board_of_the_readme_is_what_its_command_prints(made: Path) -> None:
    assert (made / "README.md").read_text() == (ROOT / "README.md").read_text()


def test_the_readme_stays_a_front_door() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.experiment)
def test_every_board_has_its_place(board: Board) -> None:
    links = [re.search(rf"^\[{board.experiment}\]\(\.\./\.\./(\S+)\)$", page.read_text(), re.M) for page in PAGES]
    (link,) = filter(None, links)
    assert f"### {title(board)}\n" in (ROOT / link[1]).read_text()


def test_the_answer_key_is_derived_from_the_committed_records(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts/answer_key.py", "--out", tmp_path], check=True)
    assert (tmp_path / "README.md").read_text() == (RESULTS / "grouping/README.md").read_text()


def test_the_learning_rates_are_what_the_script_prints() -> None:
    """The runs of two single tasks lie in two folders, and count once all the same."""
    said = subprocess.run([sys.executable, ROOT / "scripts/learning_rates.py"], check=True, capture_output=True)
    assert said.stdout.decode() in (DOCS / "boards/three_papers.md").read_text()


@pytest.mark.parametrize("experiment", GRID)
def test_the_reference_grid_is_complete(experiment: str) -> None:
    seeds, labels = GRID[experiment]
    (board,) = (board for board in BOARDS if board.experiment == experiment)
    found = {row.label.partition(" (phase")[0]: set(row.converged) for row in board.rows}
    assert {
        label for label in ("single-task", *labels.split()) if not set(range(seeds)) <= found.get(label, set())
    } == set()


@pytest.mark.parametrize("experiment", ["rooms", "multifashion_mnist"])
def test_boards_of_all_methods_hold_them_all(experiment: str) -> None:
    (suite,) = (grid for grid in suites_of(experiment) if grid.name == "all_methods")
    (board,) = (board for board in BOARDS if board.experiment == experiment)
    found = {row.label.partition(" (")[0]: row for row in board.rows if row.is_method}
    assert set(found) == {*suite.methods} - {"cso"}  # which needs norms per task, and says so
    assert all(len(row.seeds) >= 3 for row in found.values())
    assert all(row.seeds == row.converged for row in found.values())


def test_multimnist_holds_the_methods_that_papers_print_most() -> None:
    (suite,) = (grid for grid in suites_of("multimnist") if grid.name == "most_printed")
    (board,) = (board for board in BOARDS if board.experiment == "multimnist")
    converged = {row.label.partition(" (")[0]: len(row.converged) for row in board.rows if row.is_method}
    assert len(suite.methods) >= 20
    assert {method for method in suite.methods if converged.get(method, 0) < 3} == set()


@pytest.mark.parametrize("experiment", ["rooms", "rooms11", "multimnist", "multifashion_mnist", "sarcos"])
def test_single_task_networks_have_ten_seeds(experiment: str) -> None:
    (board,) = (board for board in BOARDS if board.experiment == experiment)
    (single,) = (row for row in board.rows if row.is_single_task)
    assert len(single.converged) == 10


def test_single_task_multimnist_reaches_the_literature() -> None:
    records = [r for r in find_records([RESULTS / "reference" / "multimnist" / "single"]) if "left" in r["test"]]
    accuracies = [record["test"]["left"]["accuracy"] for record in records]
    assert len(accuracies) >= 5
    assert sum(accuracies) / len(accuracies) >= 97.0


@pytest.mark.parametrize("command", TRAININGS)
def test_commands_that_made_the_records_compose(command: str) -> None:
    """They take hours; what they say is checked."""
    verb, *arguments = shlex.split(command)[1:]
    first = re.compile(r"=([\w.]+|\[[^]]*\]),.*")  # of a sweep
    overrides = [first.sub(r"=\1", argument) for argument in arguments if not argument.startswith("-")]
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        config = compose(verb, overrides=overrides)
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
