"""Message passing on tables of atoms: the released layers, against one molecule and one pair at a time."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.models import MessagePassing
from mtl_bench.models.message_passing import MoleculeEncoder
from tests.data.gdb9_files import write_qm9


@pytest.fixture(scope="module")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    return torch.from_numpy(write_qm9(tmp_path_factory.mktemp("qm9"), 5, [])[0]).unsqueeze(1).double()


def slowly(encoder: MoleculeEncoder, table: Tensor) -> Tensor:
    """One molecule without padding, as PyTorch Geometric's NNConv, GRU and Set2Set are written."""
    table = table[table[:, 0] > 0]
    n, width = len(table), encoder.lin0.out_features
    elements = [[float(number == one) for one in (1, 6, 7, 8, 9)] for number in table[:, 0]]
    hydrogens = [sum(float(table[j, 0] == 1 and table[i, 4 + j] > 0) for j in range(n)) for i in range(n)]
    told = zip(elements, table[:, 0].tolist(), hydrogens, strict=True)
    atoms = torch.tensor(
        [[*element, number, 0, 0, 0, 0, bound] for element, number, bound in told], dtype=torch.float64
    )
    out = state = F.relu(encoder.lin0(atoms))
    for _ in range(3):
        messages = []
        for i in range(n):
            parts = []
            for j in set(range(n)) - {i}:
                kind = [float(table[i, 4 + j] == order) for order in (1, 2, 3)]
                pair = torch.tensor([*kind, 0.0, float((table[i, 1:4] - table[j, 1:4]).norm())], dtype=torch.float64)
                parts.append(out[j] @ encoder.matrix(F.relu(encoder.edge(pair))).view(width, width))
            messages.append(torch.stack(parts).mean(0))
        state = encoder.gru(F.relu(encoder.root(out) + torch.stack(messages)), state)
        out = state
    read, carried = out.new_zeros(1, 2 * width), (out.new_zeros(1, width), out.new_zeros(1, width))
    for _ in range(3):
        carried = encoder.lstm(read, carried)
        weights = (out @ carried[0][0]).softmax(0)
        read = torch.cat([carried[0], (weights @ out)[None]], dim=1)
    return F.relu(encoder.lin1(read))[0]


def test_a_padded_batch_is_its_molecules(molecules: Tensor) -> None:
    model = MessagePassing({"mu": 1}, (1, 29, 33), width=6).double()
    (found,) = model.encode(molecules)
    assert isinstance(model.encoder, MoleculeEncoder)
    for row, molecule in enumerate(molecules[:, 0]):
        torch.testing.assert_close(found[row], slowly(model.encoder, molecule), rtol=1e-9, atol=1e-9)
    assert found.abs().sum() > 0


def test_parameters_are_those_of_the_released_network() -> None:
    """Counted by hand from Nash-MTL's `experiments/quantum_chemistry/models.py`."""
    model = MessagePassing({str(k): 1 for k in range(11)}, (1, 29, 33))
    convolution = (5 * 128 + 128) + (128 * 4096 + 4096) + 64 * 64 + 64
    recurrent = 3 * 64 * (64 + 64) + 2 * 3 * 64 + 4 * 64 * (128 + 64) + 2 * 4 * 64
    linear = (11 * 64 + 64) + (128 * 64 + 64) + 11 * 65
    assert sum(value.numel() for value in model.parameters()) == convolution + recurrent + linear


def test_photos_are_refused() -> None:
    with pytest.raises(BenchError, match=r"takes molecules of n atoms as 1 × n × \(4 \+ n\), got \(3, 32, 32\)"):
        MessagePassing({"mu": 1}, (3, 32, 32))
