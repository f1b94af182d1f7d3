"""`mtl-bench report --wandb`: Δm reaches W&B runs that ended before the single-task runs were there."""

import re
import shutil
import time
from pathlib import Path

import pytest

from tests.cli.conftest import FAST, Type
from tests.wandb_files import written

LOGGED = [*FAST, "logger=wandb", "options.progress=false"]


@pytest.fixture
def quiet_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.mark.usefixtures("quiet_home")
def test_delta_m_is_filled_in_later(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("train", *LOGGED, "method=uw")
    assert typed.status == 0, typed.err
    (run,) = (folder / "runs").glob("*/uw/*/seed-0")
    before = written(run)
    assert "delta_m" not in before["summary"]
    typed = mtl_bench("report", "--wandb")
    assert typed.status == 0, typed.err
    assert "its single-task baselines are missing" in typed.err
    assert len(list(run.glob("wandb/offline-run-*"))) == 1, "nothing to say, nothing written"
    assert mtl_bench("train", "-m", *FAST, "only=[left],[right]", "options.progress=false").status == 0
    time.sleep(1)  # wandb names its folders by the second
    other = run.parent / "seed-1"  # another run, whose note of where it went cannot be read
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("wandb"))
    for note in run.rglob("target.json"):
        (other / note.relative_to(run)).parent.mkdir(exist_ok=True)
        (other / note.relative_to(run)).write_text("{")
    typed = mtl_bench("report", "--wandb")
    assert typed.status == 1
    assert "is damaged" in typed.err
    after = written(run, 1, parts=2)
    assert (after["id"], after["project"], after["name"]) == (before["id"], before["project"], before["name"])
    said = re.search(r"uw\S*: Δm ([+−-][\d.]+) %", typed.err.replace("\n", " "))
    assert said, typed.err
    assert float(said[1].replace("−", "-")) == pytest.approx(after["summary"]["delta_m"], abs=0.005)


def test_nothing_logged_is_one_sentence(mtl_bench: Type) -> None:
    typed = mtl_bench("report", "--wandb")
    assert typed.status == 1
    assert "was logged to W&B; train with logger=wandb" in typed.sentence
