"""What a model's constructor brings along instead of drawing it: weights from a file, or from a hub."""

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.seeded import check_streams, seeded, stream_positions
from mtl_bench.models.tensors import alike, check_sizes, saved_tensors
from mtl_bench.models.unwritten import UnwrittenHolds

QUIET = 8  # constructors in a row that agree with all before: chance, which makes signs agree by halves, does not


def not_drawn(build: Callable[[], nn.Module], sure: bool = False) -> dict[str, Tensor]:
    """State that constructors under different random states agree on: loaded weights, and constants.

    Two of them, and more while some tensor agrees in part: by chance, or since that part is loaded. `sure` rules chance
    out for tensors of few numbers, too.

    Raises BenchError for a constructor that seeds a random stream itself or draws its layers, and for a tensor that is
    loaded in part.
    """
    first, start = _built(build, 0)
    same = {name: torch.ones_like(value, dtype=torch.bool) for name, value in first.items()}
    seed = quiet = 0
    while quiet < QUIET:
        other, end = _built(build, seed := seed + 1)
        check_streams(start, end, "The model's constructor")
        check_sizes(first, other)
        before = sum(int(mask.sum()) for mask in same.values())
        for name, value in first.items():
            same[name] &= alike(value, other[name])
        quiet = quiet + 1 if before == sum(int(mask.sum()) for mask in same.values()) else 0
        parts = [name for name in first if _loaded_in_part(first[name], same[name])]
        if not parts and not sure:
            break
    if parts:
        name = parts[0]
        raise BenchError(
            f"{name} of the model is loaded in part ({int(same[name].sum())} of {first[name].numel()} numbers) and "
            "drawn in part; let the constructor draw the rest from a torch.Generator seeded by itself, then all of it "
            "is kept."
        )
    return {name: value for name, value in first.items() if same[name].all()}


def _built(build: Callable[[], nn.Module], seed: int) -> tuple[dict[str, Tensor], dict[str, bytes]]:
    """State of a model, and where the random streams then stand."""
    with seeded(seed), UnwrittenHolds(seed, seed):  # what awaits its first draw differs, as drawn numbers do
        return saved_tensors(build()), stream_positions()


def _loaded_in_part(value: Tensor, same: Tensor) -> bool:
    """Whether some numbers agree and some do not, unless these are all one constant (the padding of an embedding).

    Whole numbers are places or signs, on which draws agree by chance.
    """
    agreed = value[same]
    partly = value.is_floating_point() and 0 < agreed.numel() < value.numel()
    return partly and bool((agreed != agreed[0]).any())


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
