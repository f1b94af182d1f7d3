"""Options that cannot be are one sentence, with or without a model; numbers may come in any form."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.methods import (
    EGA,
    FAMO,
    IMTLG,
    MGDA,
    STCH,
    STGU,
    AdaTask,
    AlignedMTL,
    CAGrad,
    ConFIG,
    DynamicTaskPrioritization,
    DynamicWeightAverage,
    ExcessMTL,
    FairGrad,
    GradNorm,
    GradVac,
    GramianWeighting,
    LayerConflicts,
    LinearScalarization,
    Method,
    MoCo,
    NashMTL,
    PCGrad,
    RandomLossWeighting,
    SDMGrad,
    TorchJD,
    UncertaintyWeighting,
    WPCGrad,
)
from tests.methods.toys import TORCHJD, context

GRAMIAN = torch.tensor([[1.0, -0.2, 0.1], [-0.2, 2.0, 0.3], [0.1, 0.3, 0.5]], dtype=torch.float64)
TASKS = context().tasks
Given = dict[str, Any]


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        (MGDA, {"normalise": "L2"}, r"method\.normalise is one of none, l2, loss, loss\+; got 'L2'"),
        (CAGrad, {"c": -1}, r"method\.c is not negative and at most 1,000,000, got -1"),
        (CAGrad, {"c": "x"}, r"method\.c must be a number, got 'x'"),
        (CAGrad, {"c": True}, r"method\.c must be a number, got True"),
        (CAGrad, {"c": 1 + 0j}, r"method\.c must be a number, got \(1\+0j\)"),
        (CAGrad, {"c": torch.ones(1)}, r"method\.c must be a number, got tensor"),
        (CAGrad, {"c": 10**400}, r"method\.c must be finite"),
        (CAGrad, {"c": torch.tensor(torch.nan)}, r"method\.c must be finite"),
        (CAGrad, {"rescale": "1+C"}, r"method\.rescale is one of 1\+c, 1\+c2, none; got '1\+C'"),
        (CAGrad, {"rescale": np.ones(2)}, r"method\.rescale is one of"),
        (CAGrad, {"raw_scale": 1}, r"method\.raw_scale must be true or false, got 1"),
        (CAGrad, {"weighting": UncertaintyWeighting}, r"weighting takes what was made, .*UncertaintyWeighting\(\)"),
        (FairGrad, {"alpha": 0}, r"method\.alpha"),
        (FairGrad, {"max_norm": "1"}, r"method\.max_norm must be a number or null, got '1'"),
        (FairGrad, {"max_norm": torch.inf}, r"method\.max_norm must be finite"),
        (NashMTL, {"max_norm": 0}, r"method\.max_norm is positive"),
        (WPCGrad, {"variant": "foo"}, r"method\.variant is one of order, protected"),
        (GradVac, {"granularity": "layers"}, r"method\.granularity is one of"),
        (GradVac, {"beta": 5.0}, r"method\.beta lies in \[0, 1\]"),
        (IMTLG, {"eps": 1.0}, r"from 0 to below 1/3, got 1\.0"),
        (ConFIG, {"eps": 0.5}, r"from 0 to below 1/3"),
        (AlignedMTL, {"eps": -1.0}, r"from 0 to below 1/3"),
        (EGA, {"eps": 1}, r"from 0 to below 1/3"),
        (EGA, {"warmup": 1.0}, r"method\.warmup must be a whole number"),
        (
            NashMTL,
            {"priorities": torch.ones(3)},
            r"priorities are numbers by task name, as in \{depth: 3\}; got tensor",
        ),
        (NashMTL, {"priorities": np.ones(3)}, "priorities are numbers by task name"),
        (NashMTL, {"priorities": [1, 2, 3]}, r"priorities are numbers by task name, .* got \[1, 2, 3\]"),
        (NashMTL, {"priorities": ()}, "priorities are numbers by task name"),
        (NashMTL, {"priorities": {"depth": 1j}}, "priorities are numbers by task name"),
        (NashMTL, {"priorities": {"depth": -1}}, "priorities are finite, not negative"),
    ],
)
def test_a_bare_gramian_and_a_run_refuse_alike(kind: type[GramianWeighting], given: Given, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        kind(**given).setup(context())
    with pytest.raises(BenchError, match=sentence):
        kind(**given).weights(GRAMIAN, losses=torch.ones(3))


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        (MoCo, {"gamma": torch.nan}, r"method\.gamma must be finite, got nan"),
        (MoCo, {"rho": torch.nan}, r"method\.rho must be finite"),
        (UncertaintyWeighting, {"initial": torch.nan}, r"method\.initial must be finite"),
        (DynamicTaskPrioritization, {"gamma": torch.inf}, r"method\.gamma must be finite"),
        (AdaTask, {"epsilon": torch.inf}, r"method\.epsilon must be finite"),
        (ExcessMTL, {"warmup": 1.5}, r"method\.warmup must be a whole number, got 1\.5"),
        (STGU, {"warmup": 0.1}, r"method\.warmup must be a whole number"),
        (STGU, {"preference": torch.nan}, r"method\.preference must be finite"),
        (STGU, {"decay": 2.0}, r"method\.decay lies in \(0, 1\]"),
        (DynamicWeightAverage, {"window": 25.0}, r"method\.window must be a whole number or null, got 25\.0"),
        (SDMGrad, {"iterations": 20.0}, r"method\.iterations must be a whole number"),
        (
            FAMO,
            {"minimum": torch.nan},
            r"method\.minimum is a number, or numbers by task name, as in .* and finite; got nan",
        ),
        (FAMO, {"minimum": [0.0, 1.0]}, r"method\.minimum is a number, or"),
        (FAMO, {"minimum": {0: 1.0, "a": 1.0}}, r"method\.minimum names 0, but the tasks are"),
        (STCH, {"ideal": torch.nan}, r"method\.ideal is a number, or"),
        (STCH, {"ideal": {"depth": torch.inf}}, r"method\.ideal is a number, or"),
        (STCH, {"priorities": {1: 2.0, "a": 1.0}}, "priorities name 1, but the tasks are"),
        (GradNorm, {"theoretical": 2.3}, "theoretical losses are numbers by task name"),
        (LinearScalarization, {"fixed": 2.0}, r"fixed weights are numbers by task name, .* got 2\.0"),
        (LinearScalarization, {"fixed": {1: 2.0, "a": 1.0}}, "Task weights name"),
        (TorchJD, {"aggregator": None}, r"method\.aggregator must be text, got None"),
        (TorchJD, {"options": [1]}, r"method\.options are arguments by name, .* got \[1\]"),
        (LayerConflicts, {"train_by": CAGrad}, r"train_by takes what was made, with its parentheses, as in CAGrad\(\)"),
        (PCGrad, {"weighting": MGDA}, r"weighting takes what was made"),
    ],
)
def test_what_a_run_refuses(kind: type[Method], given: Given, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        kind(**given).setup(context())


@pytest.mark.parametrize("number", [0.25, np.float32(0.25), np.float64(0.25), torch.tensor(0.25), Fraction(1, 4)])
def test_a_number_is_a_number(number: Any) -> None:
    torch.testing.assert_close(CAGrad(c=number).weights(GRAMIAN), CAGrad(c=0.25).weights(GRAMIAN))
    for count in (2, np.int64(2), torch.tensor(2)):
        DynamicWeightAverage(window=count).setup(context())  # type: ignore[arg-type]
    CAGrad(raw_scale=np.bool_(True)).setup(context())  # type: ignore[arg-type]


def test_annotations_that_cannot_be_evaluated_check_nothing() -> None:
    @dataclass(kw_only=True, eq=False)
    class Own(PCGrad):
        schedule: "NoSuchClass" = 3  # type: ignore[name-defined]

    @dataclass(kw_only=True, eq=False)
    class Other(PCGrad):
        places: list[int] | None = None  # no plain kind
        odd: [int] = ()  # type: ignore[valid-type]  # nor any kind

    @dataclass(kw_only=True, eq=False)
    class Third(PCGrad):
        rows: "k P" = 3  # type: ignore[valid-type,syntax]

    Own(max_norm=None).setup(context())
    Other(places="anything").setup(context())  # type: ignore[arg-type]
    Third().setup(context())


@pytest.mark.parametrize("granularity", ["layer", "matrix"])
def test_groups_have_no_common_gramian(granularity: Any) -> None:
    with pytest.raises(BenchError, match=f"granularity={granularity} needs a Gramian per group"):
        GradVac(granularity=granularity).weights(GRAMIAN)


def test_before_setup() -> None:
    with pytest.raises(BenchError, match=r"UncertaintyWeighting knows its tasks after setup: use it through Stepper"):
        UncertaintyWeighting().task_weights(torch.ones(3), tasks=(0, 1, 2))
    assert len(RandomLossWeighting().task_weights(torch.ones(3), tasks=(0, 1, 2))) == 3  # which has no need of it
    method = CAGrad()
    method.weights(GRAMIAN)
    assert (method.missed_residuals(), method.state_dict()) == (0, {"solver_failures": 0})


@pytest.mark.parametrize(
    "losses",
    [[1.0, 2.0, 3.0], (1, 2, 3), np.array([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0], requires_grad=True)],
)
def test_losses_in_any_form(losses: Any) -> None:
    right = MGDA(normalise="loss").weights(GRAMIAN, losses=torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    assert torch.equal(MGDA(normalise="loss").weights(GRAMIAN, losses=losses), right)
    several = [torch.tensor(number, requires_grad=True) for number in (1.0, 2.0, 3.0)]
    assert torch.equal(MGDA(normalise="loss").weights(GRAMIAN, losses=several), right)


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"losses": [1.0, 2.0]}, r"losses= are 3 finite numbers, one for each row of the Gramian; got \[1\.0, 2\.0\]"),
        ({"losses": [1.0, 2.0, torch.nan]}, "losses= are 3 finite numbers"),
        ({"losses": torch.ones(3, 1)}, "losses= are 3 finite numbers"),
        ({"losses": "high"}, "losses= are numbers in a list"),
        ({"losses": torch.ones(3), "tasks": (0, 1)}, r"tasks= are 3 places in the list of all tasks"),
        ({"losses": torch.ones(3), "tasks": TASKS}, "tasks= are 3 places"),
        ({"losses": torch.ones(3), "tasks": (0, 1, 1)}, "tasks= are 3 places"),
        ({"losses": torch.ones(3), "tasks": 3}, "tasks= are 3 places"),
        ({"losses": torch.ones(3), "generator": 3}, r"generator= is a torch\.Generator of the CPU, or None; got 3"),
    ],
)
@pytest.mark.parametrize("make", [lambda: MGDA(normalise="loss"), PCGrad])
def test_keywords_that_do_not_go_with_the_gramian(
    make: Callable[[], GramianWeighting], keywords: Given, sentence: str
) -> None:
    with pytest.raises(BenchError, match=sentence):
        make().weights(GRAMIAN, **keywords)


def test_places_may_be_an_array() -> None:
    given = {"generator": torch.Generator().manual_seed(0)}
    for tasks in (np.array([2, 0, 1]), torch.tensor([2, 0, 1]), [2, 0, 1]):
        GradVac().weights(GRAMIAN, tasks=tasks, **given)


@pytest.mark.filterwarnings("error")
def test_views_and_types_of_arrays() -> None:
    array = GRAMIAN.numpy()
    fixed = array.copy()
    fixed.flags.writeable = False
    forms = [array[::-1, ::-1][::-1, ::-1], array.astype(">f8"), array.astype(np.longdouble), fixed, array.T]
    right = CAGrad().weights(GRAMIAN)
    for form in forms:
        assert torch.equal(CAGrad().weights(form), right)
    backwards = CAGrad().weights(array[::-1, ::-1])
    torch.testing.assert_close(backwards.flip(0), right)
    assert not np.may_share_memory(forms[0], CAGrad().weights(forms[0]).numpy())
    torch.testing.assert_close(CAGrad().weights(array.astype(">f2")), right, rtol=1e-2, atol=1e-3)
    CAGrad().weights([[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (GRAMIAN.to(torch.complex64), "A Gramian is a tensor, an array or nested lists of numbers, not tensor"),
        (GRAMIAN.numpy().astype(complex), "A Gramian is a tensor"),
        (GRAMIAN.to_sparse(), "A Gramian is a tensor"),
        (GRAMIAN.to("meta"), "A Gramian is a tensor"),
        ([["1"]], "A Gramian is a tensor"),
        (torch.diag(torch.tensor([1.0, -1.0])), "squared lengths on its diagonal, and one here is negative"),
    ],
)
def test_what_is_no_gramian(given: Any, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        CAGrad().weights(given)


@pytest.mark.skipif(not TORCHJD, reason="TorchJD is not installed")
@pytest.mark.parametrize("kind", [NashMTL, MGDA, PCGrad, CAGrad, IMTLG, AlignedMTL, FairGrad])
def test_rounding_of_a_gradient_of_zero(kind: type[GramianWeighting]) -> None:
    given = torch.tensor([[-1e-18, 0.0], [0.0, 1.0]], dtype=torch.float64)
    before = given.clone()
    assert kind().weights(given).isfinite().all()
    assert torch.equal(given, before)


def test_options_of_another_library_stay_free() -> None:
    TorchJD(aggregator="UPGrad", options={}).setup(context())


@dataclass(kw_only=True, eq=False)
class OfSomebody(LinearScalarization):
    ceiling: float = math.inf
    every: int = None  # type: ignore[assignment]


def test_defaults_are_their_authors_business() -> None:
    OfSomebody().setup(context())
    with pytest.raises(BenchError, match=r"method\.ceiling must be finite, got nan"):
        OfSomebody(ceiling=math.nan).setup(context())
    with pytest.raises(BenchError, match=r"method\.every must be a whole number, got 0\.5"):
        OfSomebody(every=0.5).setup(context())  # type: ignore[arg-type]
