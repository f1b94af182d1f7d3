"""What a model's constructor brings along instead of drawing it: weights from a file, or from a hub."""

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mtl_bench.errors import BenchError

CHANCE = 0.05  # share of numbers on which two draws may agree: in bfloat16 one in a hundred does


def not_drawn(build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """State that two constructions under different random states agree on: loaded weights, and constants.

    Raises BenchError for a constructor that seeds torch itself, and for a tensor that is loaded in part.
    """
    states, ends = [], []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # not torch.manual_seed: that reseeds every GPU's stream as well
            states.append(build().state_dict())
            ends.append(torch.get_rng_state())
    if torch.equal(*ends):
        raise BenchError(
            "The model's constructor seeds torch, so that every seed of a run would start alike; leave that out."
        )
    first, second = states
    ready = [name for name, value in first.items() if not is_lazy(value)]  # a lazy layer has drawn nothing yet
    kept = {name: first[name] for name in ready if torch.equal(first[name], second[name])}
    for name in ready:
        if name not in kept and (agreed := _loaded_in_part(first[name], second[name])):
            raise BenchError(
                f"{name} of the model is loaded in part ({agreed} of {first[name].numel()} numbers) and drawn in part; "
                "let the constructor draw the rest from a torch.Generator seeded by itself, then all of it is kept."
            )
    return kept


def _loaded_in_part(first: Tensor, second: Tensor) -> int:
    """How many numbers two draws agree on, unless few (chance) or all one constant (the padding of an embedding)."""
    agreed = first[first == second] if first.shape == second.shape else first.new_empty(0)
    return agreed.numel() if agreed.numel() > CHANCE * first.numel() and (agreed != agreed[0]).any() else 0


def loaded(kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of what was not drawn that which is no constant (a norm's gains of 1, a bias of 0)."""
    return {name: value for name, value in kept.items() if value.numel() > 1 and (value != value.flatten()[0]).any()}


def digests(weights: Mapping[str, Tensor]) -> dict[str, str]:
    """sha256 of names and values: of all outside the heads as `shared`, and of each head by its task."""
    found = {}
    for part in {_part(name) for name in weights}:
        digest = hashlib.sha256()
        for name in sorted(name for name in weights if _part(name) == part):
            digest.update(f"{name} {weights[name].dtype} {list(weights[name].shape)}\n".encode())
            digest.update(weights[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        found[part] = digest.hexdigest()
    return found


def _part(name: str) -> str:
    return name.split(".")[1] if name.startswith("heads.") else "shared"
