"""Which tensors a model may hold, and what unwritten memory holds meanwhile."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.tensors import check_tensors, saved_tensors, tensors_of
from mtl_bench.models.unwritten import UnwrittenHolds


def holding(value: Tensor, persistent: bool = True) -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_buffer("own", value, persistent=persistent)
    return model


class Sub(Tensor):
    pass


def inferred() -> Tensor:
    with torch.inference_mode():
        return torch.ones(2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse or nested"),
        (lambda: torch.eye(3).to_sparse_csr(), "sparse or nested"),
        (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "sparse or nested"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8), "quantised"),
        (lambda: torch.empty(2, device="meta"), "on the meta device"),
        (inferred, "made in inference mode"),
        (lambda: torch.ones(2, dtype=torch.complex64).conj(), "a conjugate or negative"),
        (lambda: torch.ones(2).as_subclass(Sub), "of type Sub"),
        (lambda: torch.arange(5.0).expand(3, 5), r"an expanded view, .* register its `\.clone\(\)`"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_plain_tensor_is_refused(make: Callable[[], Tensor], said: str) -> None:
    with pytest.raises(BenchError, match=rf"^0\.own of the model is {said}"):
        check_tensors(holding(make()))


@pytest.mark.parametrize("make", [lambda: torch.ones(2), lambda: torch.tensor(3), lambda: torch.empty(0, 2)])
def test_plain_tensors_pass(make: Callable[[], Tensor]) -> None:
    check_tensors(holding(make()))
    check_tensors(holding(torch.arange(5.0).expand(3, 5), persistent=False))


def test_names_are_those_of_modules() -> None:
    model = holding(torch.ones(2), persistent=False)
    model.append(model[0])
    model._register_state_dict_hook(lambda module, state, *rest: state.clear())
    names = {f"{place}.{name}" for place in (0, 1) for name in ("weight", "bias")}
    assert set(saved_tensors(model)) == names
    assert set(tensors_of(model)) == names | {"0.own", "1.own"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float8_e5m2, torch.bool, torch.uint8, torch.int64])
def test_unwritten_memory_holds_what_is_given(dtype: torch.dtype) -> None:
    like = torch.zeros(3, dtype=dtype)
    with UnwrittenHolds(0.5, 1):
        made = torch.empty(3, dtype=dtype), torch.empty_like(like), like.new_empty(3)
    assert all((one.float() == (0.5 if dtype.is_floating_point else 1)).all() for one in made)


def test_memory_that_has_no_fill_is_left() -> None:
    with UnwrittenHolds(0.5, 1):
        torch.empty(3, dtype=torch.uint4)
        torch.empty(3, 3, layout=torch.sparse_coo)


def test_compiled_parts_are_compiled_after_a_forward_under_it() -> None:
    graphs: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    model = torch.compile(nn.Linear(2, 2), backend=backend)
    with UnwrittenHolds(0, 0):
        model(torch.ones(1, 2))
    model(torch.ones(1, 2))
    assert graphs
