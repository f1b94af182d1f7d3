"""Measuring beside training, without effect on it."""

import math

import pytest
import torch

from mtl_bench.methods.linear_scalarization import LinearScalarization
from mtl_bench.methods.mgda import MGDA
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.training.diagnostics import describe_gradients, effective_shares, mean_cosines, probe, used_weights
from tests.step.toys import (
    MODELS,
    TASKS,
    OneTensor,
    autograd_rows,
    differing,
    everything,
    make_batch,
    make_context,
    make_machine,
    make_step,
)

NAMES = list(TASKS)


@pytest.mark.parametrize("method", ["backward", "gradients", "trial", "lookahead"])
@pytest.mark.parametrize("model", MODELS)
def test_a_probe_leaves_the_run_bit_identical(model: type[MultiTaskModel], method: str) -> None:
    ends, counts, losses = [], [], []
    for probed in (False, True):
        machine = make_machine(model, dtype=torch.float32)
        seen = []
        for seed in range(4):
            step = make_step(machine, make_batch(seed=seed, unlabelled=["pose"] if seed == 2 else []))
            if probed and seed != 1:
                probe(step)
            if method == "lookahead":
                seen.append(step.losses(grad=False).values)
            found = step.losses()
            if method == "gradients":
                step.gradients(found).combine(torch.ones(len(found.tasks)))
            elif method == "trial":
                gradients = step.gradients(found)
                with step.trial():
                    gradients.combine(torch.ones(len(found.tasks)))
                    step.apply()
                    seen.append(step.losses(grad=False).values)
                gradients.combine(torch.ones(len(found.tasks)))
            else:
                step.backward(found, torch.ones(len(found.tasks)))
            step.apply()
            seen += [found.values, machine.ledger.batch_losses()]
        ends.append(everything(machine))
        counts.append(machine.ledger.counts)
        losses.append(torch.cat(seen).nan_to_num())
    assert not differing(*ends)
    assert counts[0] == counts[1]
    assert torch.equal(*losses)


@pytest.mark.parametrize("model", MODELS)
def test_cosines_are_those_of_full_backwards(model: type[MultiTaskModel]) -> None:
    machine, batch = make_machine(model), make_batch()
    rows = autograd_rows(machine, batch)
    flat = [torch.cat([row.get(n, torch.zeros_like(p)).flatten() for n, p in machine.shared.items()]) for row in rows]
    tasks, gramian = probe(make_step(machine, batch))
    found = describe_gradients([NAMES[task] for task in tasks], gramian, {})
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = flat[i], flat[j]
        cosine = torch.cosine_similarity(a, b, dim=0).item()
        assert found[f"diagnostics/cosine/{NAMES[i]}-{NAMES[j]}"] == pytest.approx(cosine, rel=1e-9)
        similarity = (2 * a.norm() * b.norm() / (a.norm() ** 2 + b.norm() ** 2)).item()
        assert found[f"diagnostics/magnitude_similarity/{NAMES[i]}-{NAMES[j]}"] == pytest.approx(similarity, rel=1e-9)
    norms = torch.stack([row.norm() for row in flat])
    for name, share in zip(NAMES, (norms / norms.sum()).tolist(), strict=True):
        assert found[f"diagnostics/share/{name}"] == pytest.approx(share, rel=1e-9)


def test_conflicts_shares_and_weights_of_a_known_gramian() -> None:
    rows = torch.tensor([[1.0, 0.0], [-3.0, 0.0], [0.0, 2.0]]).double()
    found = describe_gradients(["a", "b", "c"], rows @ rows.T, {"a": 3.0, "b": 1.0})
    assert found["diagnostics/cosine/a-b"] == -1
    assert found["diagnostics/conflicts"] == pytest.approx(1 / 3)
    assert found["diagnostics/magnitude_similarity/a-b"] == pytest.approx(0.6)
    assert [found[f"diagnostics/share/{n}"] for n in "abc"] == pytest.approx([3 / 8, 3 / 8, 2 / 8])
    assert [found[f"diagnostics/weight/{n}"] for n in "abc"] == [3, 1, 1]


def test_zero_gradients_and_one_task() -> None:
    found = describe_gradients(["a", "b"], torch.zeros(2, 2).double(), {})
    assert found["diagnostics/cosine/a-b"] == 0
    assert found["diagnostics/share/a"] == 0
    assert all(math.isfinite(value) for value in found.values())
    alone = describe_gradients(["a"], torch.ones(1, 1).double(), {})
    assert alone["diagnostics/conflicts"] == 0
    assert alone["diagnostics/share/a"] == 1


def test_used_weights_of_a_loss_weighting() -> None:
    machine = make_machine()
    method = LinearScalarization(fixed={"shape": 0.5, "pose": 2.0, "colour": 1.0})
    method.setup(make_context(machine))
    method.update(make_step(machine))
    assert used_weights(machine.ledger, machine.names) == {"shape": 0.5, "pose": 2.0, "colour": 1.0}


def test_used_weights_of_a_gradient_method_are_the_product() -> None:
    machine = make_machine()
    method = MGDA(weighting=LinearScalarization(fixed={"shape": 0.5, "pose": 2.0, "colour": 1.0}))
    method.setup(make_context(machine))
    batch = make_batch()
    rows = autograd_rows(machine, batch)
    scaled = [
        factor * torch.cat([row[name].flatten() for name in machine.shared])
        for factor, row in zip((0.5, 2.0, 1.0), rows, strict=True)
    ]
    matrix = torch.stack(scaled)
    expected = method.scaled(method.weights(matrix @ matrix.T, tasks=(0, 1, 2))) * torch.tensor([0.5, 2.0, 1.0])
    method.update(make_step(machine, batch))
    assert list(used_weights(machine.ledger, machine.names).values()) == pytest.approx(expected.tolist(), rel=1e-5)


def test_used_weights_with_absent_tasks_name_the_right_ones() -> None:
    machine = make_machine(OneTensor)
    step = make_step(machine, make_batch(unlabelled=["pose"]))
    step.backward(step.losses(), torch.tensor([3.0, 4.0]))
    step.apply()
    assert used_weights(machine.ledger, machine.names) == {"shape": 3.0, "colour": 4.0}


def test_effective_shares_are_means_over_the_probed_batches_that_had_the_task() -> None:
    shares = [{"a": 0.2, "b": 0.8}, {"a": 0.4, "b": 0.6}, {"a": 1.0}]
    rows = [{"batch": n, "diagnostics": describe(found)} for n, found in enumerate(shares)]
    others = [{"batch": 3, "train": {}}, {"batch": 4, "diagnostics": {"diagnostics/nonfinite": 1.0}}]
    assert effective_shares([*rows, *others], ["a", "b", "c"]) == pytest.approx({"a": 1.6 / 3, "b": 0.7})
    assert effective_shares(others, ["a"]) == {}


def test_mean_cosines_are_of_the_batches_that_had_both_tasks() -> None:
    told = [{"a-b": 0.5}, {"a-b": -0.1, "b-c": 0.4}]
    rows = [{"diagnostics": {f"diagnostics/cosine/{pair}": value for pair, value in one.items()}} for one in told]
    others = [{"batch": 3, "train": {}}, {"batch": 4, "diagnostics": {"diagnostics/nonfinite": 1.0}}]
    expected = [[1.0, pytest.approx(0.2), None], [pytest.approx(0.2), 1.0, 0.4], [None, 0.4, 1.0]]
    assert mean_cosines([*rows, *others], ["a", "b", "c"]) == expected
    assert mean_cosines(others, ["a", "b"]) == []


def describe(shares: dict[str, float]) -> dict[str, float]:
    """What a probe writes of a batch whose tasks have these shares, under weights of 1."""
    return describe_gradients(list(shares), torch.diag(torch.tensor([share**2 for share in shares.values()])), {})
