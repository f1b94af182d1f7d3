"""The message-passing network of the QM9 tables, on molecules as tables of atoms."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import EncoderModel, check_widths
from mtl_bench.models.heads import build_heads

ELEMENTS = (1, 6, 7, 8, 9)  # hydrogen, carbon, nitrogen, oxygen, fluorine
ATOM, EDGE = len(ELEMENTS) + 6, 5  # features
STEPS = 3  # of message passing, and of the readout
HIDDEN = 128  # of the network that makes a matrix of every edge


class MessagePassing(EncoderModel):
    """Messages along all pairs of atoms, a GRU per atom, Set2Set and a linear layer; one linear head per task.

    The network of Navon et al. (ICML 2022) for QM9, after Gilmer et al. (ICML 2017): three steps, `width` features. An
    image has one channel and a row per atom: number, place (3), bond to every atom (1, 2, 3; 0: none), zeros in rows
    without an atom. Features are those that PyTorch Geometric makes of unsanitised molecules: element, number, how many
    hydrogens are bound, four zeros (aromaticity and hybridisation, never told); of a pair the kind of bond (the fourth,
    aromatic, does not occur) and the distance.

    Raises `BenchError` for images of another form, and a width below 1.
    """

    def __init__(self, outputs: Mapping[str, int], input_shape: tuple[int, int, int], width: int = 64) -> None:
        channels, rows, columns = input_shape
        if (channels, columns) != (1, rows + 4):
            raise BenchError(f"MessagePassing takes molecules of n atoms as 1 × n × (4 + n), got {input_shape}.")
        check_widths("width", width)
        super().__init__(MoleculeEncoder(width), build_heads(outputs, lambda n: nn.Linear(width, n)), task_norm=False)


class MoleculeEncoder(nn.Module):
    """From a table of atoms to one vector per molecule."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin0 = nn.Linear(ATOM, width)
        self.edge = nn.Linear(EDGE, HIDDEN)
        self.matrix = nn.Linear(HIDDEN, width * width)
        self.root = nn.Linear(width, width)  # with the bias of the convolution
        self.gru = nn.GRUCell(width, width)
        self.lstm = nn.LSTMCell(2 * width, width)
        self.lin1 = nn.Linear(2 * width, width)

    def forward(self, table: Float[Tensor, "batch 1 n columns"]) -> Float[Tensor, "batch width"]:
        atoms, pairs, there = _features(table[:, 0])
        state = F.relu(self.lin0(atoms))
        between = (
            there[:, :, None] & there[:, None, :] & ~torch.eye(there.shape[1], dtype=torch.bool, device=table.device)
        )
        hidden = F.relu(self.edge(pairs)) * between.unsqueeze(-1)
        others = between.sum(dim=2, keepdim=True).clamp(min=1)
        for _ in range(STEPS):
            message = F.relu(self.root(state) + self._sum(state, hidden, between) / others)
            state = self.gru(message.flatten(0, 1), state.flatten(0, 1)).view_as(state)
        return F.relu(self.lin1(self._read(state, there)))

    def _sum(
        self, state: Float[Tensor, "batch n width"], hidden: Float[Tensor, "batch n n 128"], between: Tensor
    ) -> Float[Tensor, "batch n width"]:
        """Over the other atoms j: state_j times the matrix of the pair, which is never written down.

        The matrix is linear in `hidden`, so states are multiplied by its parts once per atom instead of once per pair.
        """
        width = state.shape[-1]
        parts = self.matrix.weight.view(width, width, HIDDEN)  # from, to, part
        sent = torch.einsum("bjf,ftk->bjkt", state, parts)
        fixed = between.to(state.dtype) @ (state @ self.matrix.bias.view(width, width))
        return torch.einsum("bijk,bjkt->bit", hidden, sent) + fixed

    def _read(
        self, state: Float[Tensor, "batch n width"], there: Bool[Tensor, "batch n"]
    ) -> Float[Tensor, "batch both"]:
        """Set2Set (Vinyals et al., ICLR 2016)."""
        read = state.new_zeros(len(state), 2 * state.shape[-1])
        carried = (state.new_zeros(len(state), state.shape[-1]),) * 2
        for _ in range(STEPS):
            carried = self.lstm(read, carried)
            query = carried[0]
            weights = (state @ query.unsqueeze(-1)).squeeze(-1).masked_fill(~there, -torch.inf).softmax(dim=1)
            read = torch.cat([query, (weights.unsqueeze(-1) * state).sum(dim=1)], dim=1)
        return read


def _features(
    table: Float[Tensor, "batch n columns"],
) -> tuple[Float[Tensor, "batch n 11"], Float[Tensor, "batch n n 5"], Bool[Tensor, "batch n"]]:
    """Of atoms and pairs, and which rows are atoms."""
    number, place, bonds = table[..., :1], table[..., 1:4], table[..., 4:]
    element = torch.cat([number == one for one in ELEMENTS], dim=-1).to(table.dtype)
    hydrogens = ((bonds > 0).to(table.dtype) @ element[..., :1]).to(table.dtype)
    atoms = torch.cat([element, number, torch.zeros_like(place), torch.zeros_like(number), hydrogens], dim=-1)
    apart = (place[:, :, None] - place[:, None, :]).square().sum(dim=-1, keepdim=True).sqrt()
    kinds = [(bonds == order).to(table.dtype).unsqueeze(-1) for order in (1, 2, 3)]
    pairs = torch.cat([*kinds, torch.zeros_like(apart), apart], dim=-1)
    return atoms, pairs, number[..., 0] > 0
