"""What a page tells to type composes to the very configuration that was trained."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mtl_bench.cli.report_files import train_again
from mtl_bench.configuration.commands import KeptRun, hydra_text, train_commands, train_words
from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.job import compose_plan
from mtl_bench.records.identity import canonical
from mtl_bench.records.record import SINGLE, find_records
from mtl_bench.results.entries import Run, by_hash
from tests.docs.pages import ROOT

NODES = ("dataset", "tasks", "model", "protocol")
PLACES = ("rooms", "rooms_task_norm", "rooms_equal_passes_tag", "multimnist")
RUNS = list(by_hash(find_records([ROOT / "results/reference" / name for name in PLACES])).values())


def composed(words: list[str]) -> Mapping[str, Any]:
    """The configuration of the first cell of a command."""
    assert words[:2] == ["mtl-bench", "train"]
    overrides = [word.partition(",")[0] if word.startswith("seed=") else word for word in words[2:] if word != "-m"]
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        return OmegaConf.to_container(compose("train", overrides=overrides), resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize("run", RUNS[::4], ids=lambda run: f"{next(iter(run.values()))['method']['label']}")
def test_the_commands_of_committed_rows(run: Run) -> None:
    """All that makes a run what it is; arguments that repeat a default do not."""
    commands = train_again([run])
    assert commands is not None
    (command,) = commands
    record = run[min(run)]
    config = composed(shlex.split(command))
    for node in NODES:
        assert canonical(config[node]) == canonical(record["config"][node]), command
    if record["method"]["name"] != SINGLE:
        assert canonical(config["method"]) == canonical(record["config"]["method"]), command
    assert (config["only"] or list(config["tasks"])) == record["config"]["only"]
    assert command.endswith(f"seed={','.join(map(str, sorted(run)))}")


def test_runs_that_differ_in_tasks_are_one_line() -> None:
    alone = [run for run in RUNS if _method(run) == SINGLE and _experiment(run) == "rooms"]
    commands = train_again(alone)
    assert commands is not None
    assert len(alone) == 3
    (command,) = commands
    assert all(f"[{next(iter(run.values()))['tasks'][0]}]" in command for run in alone)


def test_what_was_changed_is_typed() -> None:
    """Values that Hydra would read otherwise are quoted, new keys carry a plus."""
    (run,) = [run for run in RUNS if _method(run) == "famo" and _experiment(run) == "rooms"]
    config = dict(run[0]["config"])
    config["method"] = {**config["method"], "lr": 0.5, "added": {"a": ["x y", None, True]}}
    config["dataset"] = {**config["dataset"], "train": 16}
    (command,) = train_commands([KeptRun("rooms", "famo", config, (3,))]) or ()
    words = shlex.split(command)
    changes = ["dataset.train=16", "method.lr=0.5", "+method.added={a:['x y',null,true]}"]
    assert words == ["mtl-bench", "train", "experiment=rooms", "method=famo", *changes, "seed=3"]
    assert composed(words)["method"]["added"] == {"a": ["x y", None, True]}


@pytest.mark.parametrize(
    "changes",
    [
        ["protocol.reporting.delta_m.terms={5_o_Clock_Shadow:[]}"],
        ["~protocol.reporting.delta_m.terms", "+protocol.reporting.delta_m.terms={Mustache:[accuracy]}"],
        ["+protocol.training.static_weights={5_o_Clock_Shadow:2.0,Mustache:1.0}"],
        ["tasks={5_o_Clock_Shadow:{revision:2},Mustache:{classes:3}}", "model.width=4"],
        ["+method.added={within_11.25:1}"],
    ],
)
def test_keys_that_cannot_be_typed_come_in_a_map(changes: list[str]) -> None:
    """Behind a dot Hydra reads no name that begins with a digit or holds another dot."""
    config = dict(composed(["mtl-bench", "train", "experiment=celeba9", "method=uw", *changes]))
    run = KeptRun("celeba9", "uw", {**config, "only": list(config["tasks"])}, (0,))
    words = train_words(run)
    assert words is not None
    again = composed(["mtl-bench", "train", *words[1:]])
    assert [again[node] for node in (*NODES, "method")] == [config[node] for node in (*NODES, "method")]


def test_what_has_no_yaml_here_has_no_command() -> None:
    config = RUNS[0][min(RUNS[0])]["config"]
    assert train_commands([KeptRun("somebody_elses", "ls", config, (0,))]) is None
    for broken in ({}, {"only": ["left"]}, {**config, "dataset": 3}):
        assert train_commands([KeptRun("multidigits", "ls", broken, (0,))]) is None


WRITTEN = [
    "größe",
    "ſo",
    "µ.x",
    "a\\b",
    "a\\",
    "a\\\\",
    "it's",
    "a\\'b",
    "\\\\'",
    "x y",
    "a,b",
    "1e3",
    "True",
    "",
    "a.b/c-d",
    "=",
    "'",
]


@pytest.mark.parametrize("value", WRITTEN)
def test_text_comes_back_from_hydra(value: str) -> None:
    override = OverridesParser.create().parse_override(f"key={hydra_text([value, {'a': value}])}")
    assert override.value() == [value, {"a": value}]
    assert OverridesParser.create().parse_override(f"key={hydra_text(value)}").value() == value


TYPED = {
    "method=uw seed=3": "experiment=multidigits method=uw seed=3",
    "method=ls only=[left] seed=1": "only=[left] experiment=multidigits seed=1",
    "method=mgda method.normalise=loss": "experiment=multidigits method=mgda method.normalise=loss seed=0",
    "model=mlp model.hidden=[12]": "experiment=multidigits model=mlp method=ls model.hidden=[12] seed=0",
    "method=pcgrad +method@method.weighting=uw": None,
    "protocol.training.optimizer.lr=0.01 protocol.training.batch_size=100": None,
    "~protocol.training.schedule protocol.training.static_weights={left:2,right:1.5}": None,
    "method=upgrad method.priorities={left:3,right:1.5}": None,
    "protocol.training.optimizer={_target_:torch.optim.SGD,_partial_:true,lr:0.1,momentum:0.9}": None,
    "method._target_=mtl_bench.methods.pcgrad.PCGrad": "experiment=multidigits method=pcgrad seed=0",
    "method._target_=tests.cli.parts.Twice": None,
}


@pytest.mark.parametrize("typed", TYPED)
def test_the_words_compose_the_same_cell(typed: str, data: Path) -> None:
    """Other presets, other classes, keys that were taken out, and a method of one's own."""
    plan = compose_plan(["experiment=multidigits", *typed.split()], data)
    words = train_words(KeptRun(plan.names.experiment, plan.method, plan.config, (plan.seed,)))
    assert words is not None
    found = [f"only={words[0]}"] * bool(words[0]) + words[1:]
    again = compose_plan(found, data)
    assert (again.hash, again.seed, list(again.tasks)) == (plan.hash, plan.seed, list(plan.tasks))
    if (short := TYPED[typed]) is not None:
        assert " ".join(found) == short


def test_an_experiment_of_ones_own_is_found_in_its_folder(tmp_path: Path, data: Path) -> None:
    plan = compose_plan(["experiment=multidigits"], data)
    run = KeptRun("mine", plan.method, plan.config, (0,))
    assert train_words(run) is None
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\n# Mine\ndefaults: [multidigits, _self_]\n")
    assert train_words(run, [tmp_path]) == ["", "experiment=mine", "method=ls", "seed=0"]


def _method(run: Run) -> str:
    return next(iter(run.values()))["method"]["name"]


def _experiment(run: Run) -> str:
    return next(iter(run.values()))["experiment"]["name"]
