"""What every method in configs/method promises, and a few compositions: resuming, bad batches, absent tasks, cost."""

import copy
import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mtl_bench.methods import LossWeighting, Method
from mtl_bench.methods.aligned_mtl import AlignedMTL
from mtl_bench.methods.base import Method as Base
from mtl_bench.methods.config import ConFIG
from mtl_bench.methods.cso import CSO
from mtl_bench.methods.dwa import DynamicWeightAverage
from mtl_bench.methods.famo import FAMO
from mtl_bench.methods.gradnorm import GradNorm
from mtl_bench.methods.gradvac import GradVac
from mtl_bench.methods.layer_conflicts import LayerConflicts
from mtl_bench.methods.mgda import MGDA
from mtl_bench.methods.moco import MoCo
from mtl_bench.methods.pcgrad import PCGrad
from mtl_bench.methods.rlw import RandomLossWeighting
from mtl_bench.methods.sdmgrad import SDMGrad
from mtl_bench.methods.stch import STCH
from mtl_bench.methods.stgu import STGU
from mtl_bench.methods.tag import TAG
from mtl_bench.methods.torchjd import TorchJD
from mtl_bench.methods.uw import UncertaintyWeighting
from mtl_bench.methods.wpcgrad import WPCGrad
from tests.methods.toys import TORCHJD, Toy, context, toy

FOLDER = Path(__file__).parents[2] / "configs" / "method"
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "torchjd" or TORCHJD)
OPEN: dict[str, dict[str, Any]] = {  # what the user has to give
    "priority": {"priorities": {"shape": 0.6, "depth": 0.3, "colour": 0.1}},
    "fixed": {"fixed": {"shape": 1.0, "depth": 0.5, "colour": 2.0}},
    "cso": {"linear": True},
    "ega": {"warmup": 0},
    "stch": {"warmup": 1},  # as for stgu
    "stgu": {"warmup": 4, "decay": 0.2},  # else these short runs see nothing but its warm-up
    "stgu_causal": {"warmup": 4, "decay": 0.2},
    "torchjd": {"aggregator": "GradVac"},  # which draws and remembers
}
PRESETS = {
    "imtl": ("weighting",),
    "round_robin": ("phase",),
    "stgu_causal": ("attribution",),
}  # what they change in the class they name
PER_TASK = ("cso", "cso, phase 2", "cso under uw")  # methods that ask for norms per task
COMPOSED: dict[str, Callable[[], Method]] = {
    "pcgrad under uw": lambda: PCGrad(weighting=UncertaintyWeighting()),
    "mgda under dwa": lambda: MGDA(weighting=DynamicWeightAverage(), scale_heads=True, max_norm=1.0),
    "mgda-ub": lambda: MGDA(at="feature", normalise="loss+"),
    "aligned_mtl-ub": lambda: AlignedMTL(at="feature", scale="rmse"),
    "gradvac by matrix": lambda: GradVac(granularity="matrix"),
    "wpcgrad, dynamic": lambda: WPCGrad(variant="protected", gamma=2.0),
    "mgda of normalised gradients": lambda: MGDA(normalise="loss+", applied_to="normalised"),
    "famo, heads unweighted": lambda: FAMO(scale_heads=False, minimum={"shape": -1.0}),
    "sdmgrad as released": lambda: SDMGrad(max_norm=1.0, scale_heads=True),
    "config by norms": lambda: ConFIG(length="harmonic"),
    "rgw": lambda: RandomLossWeighting(scale_heads=False),
    "conflicts under pcgrad": lambda: LayerConflicts(train_by=PCGrad()),
    "stgu, full": lambda: STGU(attribution="full", warmup=3, decay=0.1, weighting=UncertaintyWeighting()),
    "dwa over windows": lambda: DynamicWeightAverage(window=2),
    "gradnorm at shared": lambda: GradNorm(at="shared", reference="epoch"),
    "moco as released": lambda: MoCo(normalise="loss", projection="softmax"),
    "stch of losses": lambda: STCH(form="loss", mu=0.5),
    "cso, phase 2": lambda: CSO(phase=2, linear=True),
    "cso under uw": lambda: CSO(phase="sequential", weighting=UncertaintyWeighting(), linear=True),
}
if TORCHJD:
    COMPOSED["torchjd, all coordinates"] = lambda: TorchJD(aggregator="GradDrop", weighting=UncertaintyWeighting())
ALONE = ("cso", "cso under uw", "round_robin")  # methods that take steps of one task alone
# forwards, backwards, passes of one batch with three tasks; a method without a line here is a loss weighting
COST = {
    "aligned_mtl": (1, 3, 4),
    "aligned_mtl-ub": (1, 1, 2),
    "cagrad": (1, 3, 4),
    "config": (1, 3, 4),
    "config by norms": (1, 3, 4),
    "dualproj": (1, 3, 4),
    "ega": (1, 3, 4),
    "fairgrad": (1, 3, 4),
    "famo": (2, 1, 3),
    "famo, heads unweighted": (2, 1, 3),
    "graddrop": (1, 1, 2),
    "gradvac": (1, 3, 4),
    "gradvac by matrix": (1, 3, 4),
    "imtl": (1, 3, 4),
    "imtl_g": (1, 3, 4),
    "adatask": (1, 3, 4),
    "db_mtl": (1, 3, 4),
    "excess_mtl": (1, 3, 4),
    "gradnorm": (1, 1, 2),
    "learned_priority": (2, 4, 6),
    "gradnorm at shared": (1, 3, 4),
    "mgda": (1, 3, 4),
    "mgda of normalised gradients": (1, 3, 4),
    "moco": (1, 3, 4),
    "moco as released": (1, 3, 4),
    "pcgrad": (1, 3, 4),
    "pcgrad under uw": (1, 3, 4),
    "mgda under dwa": (1, 3, 4),
    "mgda-ub": (1, 1, 2),
    "nash_mtl": (1, 3, 4),
    "sdmgrad": (3, 9, 4),  # of a third of the batch each
    "sdmgrad as released": (3, 9, 4),
    "torchjd": (1, 3, 4),
    "torchjd, all coordinates": (1, 3, 4),
    "upgrad": (1, 3, 4),
    "wpcgrad": (1, 3, 4),
    "wpcgrad, dynamic": (1, 3, 4),
    "stgu": (3, 3, 6),
    "stgu_causal": (3, 3, 6),
    "stgu, full": (4, 3, 7),
    "ls_repeated": (2, 2, 4),
    "random_groups": (2, 2, 4),
    "round_robin": (3, 3, 6),
    "layer_conflicts": (1, 3, 4),
    "conflicts under pcgrad": (1, 3, 4),
    "tag": (6 / 3, 5 / 3, 11 / 3),  # one of the three batches is measured
    "cso": (3, 3, 6),
    "cso, phase 2": (3, 3, 6),
    "cso under uw": (3, 3, 6),
}
# Two train as the sum and measure beside it; DualProj leaves a sum that no task objects to, as here
AS_THE_SUM = (*combinations(("dualproj", "layer_conflicts", "ls", "tag"), 2), ("pcgrad", "conflicts under pcgrad"))
STEPS = dict.fromkeys(("stgu", "stgu_causal", "stgu, full"), 9) | {
    "adatask": 6,
    "cso": 9,
    "cso under uw": 3 + 1 + 3,
    "round_robin": 9,
    "ls_repeated": 6,
    "random_groups": 6,
}  # optimizer steps in three batches, where they are not three


def make(name: str) -> Method:
    if name in COMPOSED:
        return COMPOSED[name]()
    return instantiate(OmegaConf.load(FOLDER / f"{name}.yaml"), **OPEN.get(name, {}), _convert_="all")


@pytest.fixture(params=[*CONFIGS, *COMPOSED])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def problem_for(name: str, optimizer: Literal["sgd", "adam"] = "sgd", absent: int | None = None) -> Toy:
    return toy(optimizer, absent=absent, task_norm=name in PER_TASK)


def train(problem: Toy, method: Method, batches: range) -> None:
    """Epochs of four batches; their mean losses fall at different rates."""
    for batch in batches:
        method.update(problem.step(batch))
        if batch % 4 == 3:
            method.end_epoch(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) / (batch + 1) ** torch.arange(3))


def everything(problem: Toy, method: Method) -> dict[str, Any]:
    machine = problem.machine
    return {
        "method": method.state_dict(),
        "model": machine.model.state_dict(),
        "optimizer": machine.mover.optimizer.state_dict(),
        "generator": machine.mover.generator.get_state(),
        "device_generator": machine.mover.device_generator.get_state(),
    }


def saved_and_loaded(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return dict(torch.load(buffer, weights_only=True))


def restore(problem: Toy, method: Method, state: dict[str, Any]) -> None:
    machine = problem.machine
    method.load_state_dict(state["method"])
    machine.model.load_state_dict(state["model"])
    machine.mover.optimizer.load_state_dict(state["optimizer"])
    machine.mover.generator.set_state(state["generator"])
    machine.mover.device_generator.set_state(state["device_generator"])


def assert_equal(one: Any, other: Any) -> None:
    """Bit for bit, through dicts and lists."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_says_what_it_is_and_how_to_run_it(config: str) -> None:
    first, *rest = (FOLDER / f"{config}.yaml").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")
    assert f"mtl-bench train method={config}" in first
    values = OmegaConf.to_container(OmegaConf.create("\n".join(rest)))
    assert isinstance(values, dict)
    method = make(config)
    own = ("_target_", *PRESETS.get(config, ()))
    given = {str(key): value for key, value in values.items() if key not in own and value != "???"}
    assert given == {key: getattr(type(method)(), key) for key in given}  # defaults of the class, spelled out


@pytest.mark.parametrize("split", [1, 6, 9])
def test_resuming_is_exact(name: str, split: int) -> None:
    whole, first, second = (problem_for(name, "adam", absent=2) for _ in range(3))
    methods = [make(name) for _ in range(3)]
    for problem, method in zip((whole, first, second), methods, strict=True):
        method.setup(problem.context)
    train(whole, methods[0], range(14))
    train(first, methods[1], range(split))
    restore(second, methods[2], saved_and_loaded(everything(first, methods[1])))
    train(second, methods[2], range(split, 14))
    assert_equal(everything(second, methods[2]), everything(whole, methods[0]))


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, 1e30])
@pytest.mark.parametrize("where", ["image", "target"])
def test_a_bad_batch_enters_no_state(name: str, where: str, poison: float) -> None:
    """An image that spoils every task, or one target that spoils one: nothing moves, in method or model."""
    problem, method = problem_for(name, "adam"), make(name)
    method.setup(problem.context)
    train(problem, method, range(9))
    if where == "image":
        problem.batches[1].image[0] = poison
    else:
        problem.batches[1].targets["depth"][0] = poison if poison == poison else torch.inf  # NaN is a missing value
    before, parameters = copy.deepcopy(learnt(method)), problem.parameters
    taken, failed = problem.machine.ledger.counts.optimizer_steps, problem.machine.ledger.failures.totals.clone()
    method.update(problem.step(1))
    for _, tensor in tensors_of(method.state_dict()):
        assert tensor.isfinite().all()
    assert problem.parameters.isfinite().all()
    if where == "target" and name in ALONE:
        return  # one task's step fails, those of the others go on
    if where == "target" or poison != 1e30:  # a huge image is a finite, saturated batch for some tasks
        assert_equal(learnt(method), before)
        assert torch.equal(problem.parameters, parameters)
        assert failed.tolist() == [0, 0]
        assert (
            problem.machine.ledger.failures.totals.tolist()
            == [problem.machine.ledger.counts.optimizer_steps - taken] * 2
        )


SEES_HEADS = (
    *("moco", "moco as released", "db_mtl", "excess_mtl", "gradnorm", "gradnorm at shared", "learned_priority"),
    *("layer_conflicts", "gradvac by matrix", "adatask", "tag"),
)


@pytest.mark.parametrize("name", SEES_HEADS)
def test_a_bad_gradient_of_a_head_alone_enters_no_state(name: str) -> None:
    problem, method = toy("adam"), TAG(period=1) if name == "tag" else make(name)
    method.setup(problem.context)
    train(problem, method, range(9))
    before, parameters = copy.deepcopy(learnt(method)), problem.parameters
    parameter = problem.machine.owned[1][0]
    handle = parameter.register_hook(lambda gradient: gradient * torch.nan)
    method.update(problem.step(1))
    handle.remove()
    assert_equal(learnt(method), before)
    assert torch.equal(problem.parameters, parameters)
    method.update(problem.step(1))
    assert not torch.equal(problem.parameters, parameters)


@pytest.mark.parametrize("granularity", ["whole", "matrix"])
def test_a_bad_loss_alone_moves_no_targets(granularity: Literal["whole", "matrix"]) -> None:
    """Its gradient is finite, but the step is skipped."""
    problem, method = toy(), GradVac(granularity=granularity)
    method.setup(problem.context)
    train(problem, method, range(3))
    before, step = method.targets.clone(), problem.step(1)
    losses = step.losses()
    losses.values = losses.values * torch.tensor([1.0, torch.nan, 1.0])
    method.write(step.gradients(losses), step)
    assert torch.equal(method.targets, before)


def learnt(method: Method) -> dict[str, Any]:
    """The state without counters: whole numbers, which count bad batches too."""
    state = {name: value for name, value in method.state_dict().items() if not _counts(value)}
    return state | {"solver_failures": method.solver_failures}


def _counts(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, list) and bool(value) and all(map(_counts, value)))


def tensors_of(state: Any, place: str = "") -> list[tuple[str, torch.Tensor]]:
    if isinstance(state, torch.Tensor):
        return [(place, state)]
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else ()
    return [found for key, value in items for found in tensors_of(value, f"{place}.{key}")]


def test_training_goes_on_after_a_bad_batch(name: str) -> None:
    problem, method = problem_for(name, "adam"), make(name)
    method.setup(problem.context)
    problem.batches[1].image[0] = torch.nan
    train(problem, method, range(1))
    steps = problem.machine.ledger.counts.optimizer_steps
    method.update(problem.step(1))
    steps = problem.machine.ledger.counts.optimizer_steps - steps
    before = problem.parameters
    method.update(problem.step(2))
    assert not torch.equal(problem.parameters, before)
    assert problem.machine.ledger.failures.totals.tolist() == [steps, 0]


def test_an_absent_task_leaves_no_trace_in_its_head(name: str) -> None:
    problem, method = problem_for(name, "adam", absent=1), make(name)
    method.setup(problem.context)
    train(problem, method, range(5))
    head = problem.machine.owned[1]
    before = [p.detach().clone() for p in head]
    method.update(problem.step(5))  # no label of task 1; Adam has momentum for its head
    assert all(torch.equal(p, q) for p, q in zip(head, before, strict=True))
    method.update(problem.step(6))
    assert not any(torch.equal(p, q) for p, q in zip(head, before, strict=True))


def test_a_batch_of_one_task_is_plain_descent() -> None:
    """With k = 1 every method whose weights have a sum takes the same step."""
    ends = []
    agreeing = ("aligned_mtl", "cagrad", "config", "dualproj", "ega", "gradvac", "imtl_g", "upgrad", "wpcgrad")
    for config in ("ls", "rlw", "famo", "pcgrad", "mgda", "learned_priority", *agreeing):
        problem, method = toy(dtype=torch.float64), make(config)
        method.setup(problem.context)
        step = problem.step(0)
        step.tasks = (1,)
        method.update(step)
        ends.append(problem.parameters)
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0])


def test_cost(name: str) -> None:
    problem, method = problem_for(name), make(name)
    method.setup(problem.context)
    train(problem, method, range(3))
    counts = problem.machine.ledger.counts
    found = (counts.forwards / 3, counts.backwards / 3, counts.passes / 3)
    assert found == COST.get(name, (1, 1, 2))
    assert counts.optimizer_steps == STEPS.get(name, 3)
    assert name in COST or isinstance(method, LossWeighting)


def test_no_two_methods_walk_the_same_way() -> None:
    ends = {}
    for config in (*CONFIGS, *COMPOSED):
        problem, method = problem_for(config), make(config)
        method.setup(problem.context)
        train(problem, method, range(12))
        assert problem.parameters.isfinite().all()
        ends[config] = problem.parameters
    for one, other in combinations(ends, 2):
        if ends[one].shape != ends[other].shape or (one, other) in AS_THE_SUM:
            continue  # one of them has norms per task
        assert not torch.allclose(ends[one], ends[other], rtol=1e-4, atol=1e-5), (one, other)


def test_a_subclass_adds_to_the_state() -> None:
    class Counting(UncertaintyWeighting):
        state = ("batches",)
        batches = 0

        def observe(self, values: torch.Tensor, *, tasks: tuple[int, ...]) -> None:
            self.batches += 1
            super().observe(values, tasks=tasks)

    problem, method, other = toy(), Counting(), Counting()
    for each in (method, other):
        each.setup(context())
    train(problem, method, range(3))
    method.solver_failures = 4
    assert set(method.state_dict()) == {"solver_failures", "log_variance", "batches"}
    other.load_state_dict(saved_and_loaded(method.state_dict()))
    assert (other.batches, other.solver_failures) == (3, 4)
    assert_equal(other.state_dict(), method.state_dict())


def test_the_common_scale() -> None:
    class One(Base):
        natural_sum = 1

        def update(self, step: object) -> None: ...

    weights = torch.tensor([0.2, 0.3, 0.5])
    assert torch.equal(One().scaled(weights), weights * 3)
    assert torch.equal(One().scaled(weights[:2]), weights[:2] * 2)  # k, the tasks in the batch
    assert torch.equal(One(raw_scale=True).scaled(weights), weights)
    for kind in (UncertaintyWeighting, DynamicWeightAverage, PCGrad):  # no fixed sum, or K already
        assert torch.equal(kind().scaled(weights), weights)
