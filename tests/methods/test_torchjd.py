"""Aggregators of TorchJD by name: which path they take, scale, random streams, memory, and what is refused."""

import copy
import sys
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from mtl_bench.errors import BenchError
from mtl_bench.methods import LinearScalarization, TorchJD
from mtl_bench.records import identity
from mtl_bench.step.snapshot import global_random_state
from tests.methods.test_method_contract import assert_equal, saved_and_loaded
from tests.methods.toys import CPU, TORCHJD, Toy, context, toy

needs_torchjd = pytest.mark.skipif(not TORCHJD, reason="TorchJD is not installed")
DOUBLE = torch.float64
OPTIONS: dict[str, dict[str, Any]] = {
    "CAGrad": {"c": 0.4},
    "Constant": {"weights": [1.0, 2.0, 3.0]},
    "FairGrad": {"alpha": 1.0},
    "Krum": {"n_byzantine": 0},
    "TrimmedMean": {"trim_number": 1},
}
MEANS = ["AlignedMTL", "IMTLG", "Krum", "MGDA", "Mean", "Random", "TrimmedMean", "UPGrad"]
OTHERS = ["CAGrad", "ConFIG", "Constant", "FairGrad", "GradDrop", "GradVac", "PCGrad", "Sum"]


def method_of(name: str, problem: Toy, **given: Any) -> TorchJD:
    method = TorchJD(aggregator=name, options=OPTIONS.get(name), **given)
    method.setup(problem.context)
    return method


def direction(problem: Toy, method: TorchJD) -> torch.Tensor:
    step = problem.step(0)
    step.apply = lambda: None  # type: ignore[method-assign,assignment]
    method.update(step)
    return torch.cat([p.grad.reshape(-1) for p in problem.machine.shared.values() if p.grad is not None])


@needs_torchjd
@pytest.mark.parametrize("name", [*MEANS, *OTHERS])
def test_it_is_what_torchjd_makes_of_the_rows(name: str) -> None:
    from torchjd import aggregation

    problem = toy(dtype=DOUBLE)
    rows = problem.task_gradients(0)
    state = problem.machine.mover.generator.get_state()
    found = direction(problem, method_of(name, problem, raw_scale=True))
    options = {
        key: torch.tensor(v, dtype=DOUBLE) if key == "weights" else v for key, v in OPTIONS.get(name, {}).items()
    }
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (), generator=torch.Generator().set_state(state))))
        expected = getattr(aggregation, name)(**options)(rows)
    assert_close(found, expected, rtol=1e-9, atol=1e-12)


@needs_torchjd
@pytest.mark.parametrize("name", [*MEANS, *OTHERS])
def test_a_mean_becomes_a_sum_and_other_scales_stay(name: str) -> None:
    problem = toy(dtype=DOUBLE)
    state = problem.machine.mover.generator.get_state()
    scaled = direction(problem, method_of(name, problem))
    problem.machine.mover.generator.set_state(state)
    raw = direction(problem, method_of(name, problem, raw_scale=True))
    assert_close(scaled, raw * (3 if name in MEANS else 1))


@needs_torchjd
def test_the_sum_is_the_plain_sum() -> None:
    ends = []
    for kind in (TorchJD(aggregator="Sum"), TorchJD(aggregator="MeanWeighting"), LinearScalarization()):
        problem = toy("adam", DOUBLE, absent=1)
        kind.setup(problem.context)
        problem.train(kind, range(8))
        ends.append(problem.parameters)
    assert_close(ends[0], ends[2])
    assert_close(ends[1], ends[2])


@needs_torchjd
@pytest.mark.parametrize("name", ["PCGrad", "GradDrop", "Random", "UPGrad"])
def test_torchs_own_stream_is_as_before_and_follows_the_runs(name: str) -> None:
    ends = []
    for noise in (0, 0, 1):
        problem = toy(dtype=DOUBLE)
        method = method_of(name, problem)
        problem.machine.mover.generator.manual_seed(noise)
        torch.manual_seed(noise + len(ends))  # of dropout
        before = global_random_state(CPU)
        problem.train(method, range(4))
        assert torch.equal(global_random_state(CPU), before)
        ends.append(problem.parameters)
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2]) == (name == "UPGrad")


@needs_torchjd
@pytest.mark.parametrize("name", ["ExcessMTL", "GradVac", "PCD"])
def test_what_it_remembers_goes_on(name: str) -> None:
    whole, second = toy("adam"), toy("adam")
    methods = [method_of(name, problem) for problem in (whole, second)]
    whole.train(methods[0], range(3))
    assert str(methods[0].state_dict()) != str(methods[1].state_dict())
    methods[1].load_state_dict(saved_and_loaded(methods[0].state_dict()))
    assert_equal(methods[1].state_dict(), methods[0].state_dict())
    second.machine.model.load_state_dict(whole.machine.model.state_dict())
    second.machine.mover.optimizer.load_state_dict(copy.deepcopy(whole.machine.mover.optimizer.state_dict()))
    second.machine.mover.generator.set_state(whole.machine.mover.generator.get_state())
    for problem, method in zip((whole, second), methods, strict=True):
        problem.train(method, range(3, 6))
    assert torch.equal(whole.parameters, second.parameters)
    forgetful, other = method_of(name, second), toy("adam")
    other.train(method_of(name, other), range(3))
    other.machine.mover.generator.set_state(whole.machine.mover.generator.get_state())
    assert str(forgetful.state_dict()) != str(methods[1].state_dict())


@needs_torchjd
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"aggregator": "Nope"}, r"has no aggregator Nope; choose among AlignedMTL, CAGrad, .*, UPGrad\.$"),
        ({"aggregator": "Aggregator"}, "has no aggregator Aggregator;"),
        ({"aggregator": "WeightedAggregator"}, "has no aggregator WeightedAggregator;"),
        ({"aggregator": "CAGrad"}, r"CAGrad cannot be made with method.options=\{\}: .* 'c'"),
        ({"aggregator": "MGDA", "options": {"x": 1}}, r"MGDA cannot be made with method.options=\{'x': 1\}: .*'x'"),
        ({"aggregator": "Constant", "options": {"weights": [1, 2]}}, "cannot aggregate the gradients of 3 tasks: "),
        ({"aggregator": "NashMTL", "options": {"n_tasks": 3}}, "remembers what a checkpoint cannot hold"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")
def test_what_it_refuses(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        TorchJD(**given).setup(context())


@needs_torchjd
def test_options_of_all_tasks_do_not_fit_a_batch_without_one() -> None:
    problem, method = toy(absent=1), TorchJD(options={"pref_vector": [1, 1, 2]})
    method.setup(problem.context)
    problem.train(method, [0])
    before = problem.parameters
    with pytest.raises(BenchError, match="TorchJD's UPGrad failed on the gradients of 2 tasks: "):
        problem.train(method, [1])
    assert torch.equal(problem.parameters, before)


def test_without_torchjd_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(BenchError, match=r"pip install 'mtl-bench\[torchjd\]'\.$"):
        TorchJD().setup(context())


def test_a_run_is_named_by_what_and_by_which_version(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": "mtl_bench.methods.torchjd.TorchJD", "aggregator": "MGDA", "options": {"max_iters": 50}}
    seen = {}
    for version in ("0.18.0", "0.19.0"):
        monkeypatch.setattr(identity.metadata, "version", lambda library, version=version: version)
        found = identity.canonical(node)
        assert isinstance(found, dict)
        assert found["_library_"] == f"torchjd {version}"
        assert (found["aggregator"], found["options"]) == ("MGDA", {"max_iters": 50})
        seen[version] = identity.identity_hash(node)
    assert len(set(seen.values())) == 2
    monkeypatch.undo()

    def missing(library: str) -> str:
        raise identity.metadata.PackageNotFoundError

    monkeypatch.setattr(identity.metadata, "version", missing)
    with pytest.raises(BenchError, match="which is missing: pip install torchjd"):
        identity.canonical(node)
