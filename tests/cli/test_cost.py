"""`mtl-bench cost`: rows that can be checked by counting, and one sentence for what has none."""

import re

import pytest
import torch
from torch import nn

from mtl_bench.cli.verbs import main
from mtl_bench.cost import Workload, measure
from mtl_bench.cost.measure import K_BACKWARD, PLAIN
from mtl_bench.cost.memory import peak_bytes
from mtl_bench.cost.rounds import ratio, timed
from mtl_bench.methods import MGDA, LinearScalarization
from mtl_bench.models import MLP, DenseResNet, SegNetMTAN


def workload() -> Workload:
    return Workload(MLP({"a": 2, "b": 3}, (1, 8, 8), [64]), torch.randn(16, 1, 8, 8))


def test_costs_of_what_was_asked_for() -> None:
    costs, refused = measure(workload(), {"sum": LinearScalarization, "rows": MGDA}, rounds=3)
    assert list(costs) == [PLAIN, K_BACKWARD, "sum", "rows"]
    assert not refused
    assert costs[PLAIN].over_plain == costs[K_BACKWARD].over_k_backward == 1
    assert costs[PLAIN].memory == 0
    rows = 4 * 2 * (64 * 64 + 64)  # bytes: two rows of the shared layer in float32
    assert rows / 2 < costs["rows"].memory < 3 * rows


def test_a_method_that_the_model_cannot_serve_is_named() -> None:
    model = SegNetMTAN({"a": 2, "b": 3}, (3, 32, 32), width=2)
    work = Workload(model, torch.randn(2, 3, 32, 32))
    costs, refused = measure(work, {"feature": lambda: MGDA(at="feature"), "rows": MGDA}, rounds=1)
    assert list(costs) == [PLAIN, K_BACKWARD, "rows"]
    assert "path per task" in refused["feature"]


@pytest.mark.filterwarnings("ignore:Full backward hook")  # of the input, which needs no gradient
@pytest.mark.parametrize("task_norm", [False, True])
def test_both_baselines_are_what_they_say(task_norm: bool) -> None:
    """Counted at the encoder's first convolution: K backwards reach it K times, a plain step once per path."""
    model = DenseResNet({"a": 2, "b": 3, "c": 1}, (3, 32, 32), width=4, task_norm=task_norm)
    reached: list[int] = []
    work = Workload(model, torch.randn(2, 3, 32, 32))
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    first.register_full_backward_pre_hook(lambda *_: reached.append(1))
    for step, times in ((work.plain(), 3 if task_norm else 1), (work.k_backward(), 3)):
        reached.clear()
        step()
        assert len(reached) == times


def test_peak_is_what_lives_at_once() -> None:
    def step() -> None:
        first = torch.empty(1000, dtype=torch.float32)
        del first
        kept = torch.empty(2000, dtype=torch.float32), torch.empty(500, dtype=torch.float32)
        del kept

    assert peak_bytes(step, torch.device("cpu")) == pytest.approx(10_000, rel=0.02)


def test_rounds_are_complete_and_compared_within() -> None:
    calls: list[str] = []
    found = timed({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4, warmup=1)
    assert {name: len(seconds) for name, seconds in found.items()} == {"a": 4, "b": 4}
    assert all(sorted(calls[at : at + 2]) == ["a", "b"] for at in range(0, 10, 2))
    assert ratio([2.0, 4.0, 9.0], [1.0, 1.0, 3.0]) == 3


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    methods = "methods=[ls,mgda,mgda@feature,ls@feature,priority]"
    main(["cost", "model=mlp", "shape=[1,8,8]", methods, "rounds=1", "device=cpu"])
    shown = capsys.readouterr().out
    assert "MLP, 3 tasks, 4×1×8×8" in shown
    assert re.search(r"^mgda +[\d.]+ .*\nmgda@feature +[\d.]+ ", shown, re.M)
    assert [line.split()[0] for line in shown.splitlines() if " 1.00 " in line][:1] == ["plain"]
    assert "priority: left out, for it needs a value for priorities." in shown
    assert "ls@feature: method.at is no argument of LinearScalarization" in shown


def test_options_of_a_method_on_a_model_with_a_path_per_task(capsys: pytest.CaptureFixture[str]) -> None:
    """The phases of one method are two steps; without peers nothing is asked of TorchJD."""
    methods = 'methods=[cso,"cso@phase=2","cso@phase=3"]'
    main(["cost", "model=lenet", "model.task_norm=true", "shape=[1,16,16]", "k=2", methods, "rounds=1", "device=cpu"])
    shown = capsys.readouterr().out
    assert re.search(r"^cso +[\d.]+ .*\ncso@phase=2 +[\d.]+ ", shown, re.M)
    assert "cso@phase=3: method.phase" in shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("k=0", "k is a number from 1 on, got 0"),
        ("threads=abc", "threads is a number from 1 on, got 'abc'"),
        ("k=true", "k is a number from 1 on, got True"),
        ("shape=[8,8]", r"shape is \[channels, height, width\], each from 1 on, got \[8, 8\]"),
        ("shape=[1,0,8]", r"each from 1 on, got \[1, 0, 8\]"),
        ("methods=[mgdda]", "There is no method 'mgdda'"),
        ("methods=null", "methods is a name or a list of names, .*; got None"),
        ("peers=[Nothing]", "no aggregator Nothing|TorchJD is not installed"),
        ("peers=Nothing", "no aggregator Nothing|TorchJD is not installed"),
        ("peers=null", "peers is a name or a list of names, .*; got None"),
    ],
)
def test_bad_input(typed: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "model=mlp", "shape=[1,8,8]", "device=cpu", "rounds=1", "methods=[ls]", typed])
    assert re.search(said, capsys.readouterr().err)


def test_a_batch_that_the_model_cannot_train_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "model=nine_layer_cnn", "model.widths=[2,2,2,2]", "shape=[1,8,8]", "batch=1", "device=cpu"])
    said = r"NineLayerCNN cannot train on a batch of 1×1×8×8 \(ValueError.*\); choose another batch or shape\.\n$"
    assert re.search(said, capsys.readouterr().err)
