"""Random dense outputs and targets with holes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mtl_bench.tasks import DenseRegression, Depth, Edges, Normals, Saliency, Segmentation
from mtl_bench.tasks.dense import DenseTask
from mtl_bench.tasks.encodings import Affine, Log
from mtl_bench.tasks.reported_loss import LossRegression, LossSegmentation
from mtl_bench.tasks.taskonomy_quirks import LossDepth, LossNormals
from mtl_bench.tasks.taskonomy_units import BlurredAffine, StoredLog

CLASSES = 5
SIZE = (6, 7)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def outputs(channels: int, batch: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(batch, channels, *SIZE, generator=generator(seed)).mul_(2)


def holes(target: Tensor, share: float, seed: int, missing: float) -> Tensor:
    """Whole pixels are missing, where the target has channels in one of them only."""
    hidden = torch.rand(len(target), *SIZE, generator=generator(seed + 100)) < share
    if target.ndim == 3:
        return target.masked_fill(hidden, missing)
    first = target.clone()
    first[:, -1].masked_fill_(hidden, missing)
    return first


def classes(batch: int = 8, share: float = 0.3, seed: int = 1, among: int = CLASSES) -> Tensor:
    return holes(torch.randint(among, (batch, *SIZE), generator=generator(seed)), share, seed, -1)


def numbers(channels: int, batch: int = 8, share: float = 0.3, seed: int = 1) -> Tensor:
    """Numbers in [0, 1], NaN where there is none."""
    return holes(torch.rand(batch, channels, *SIZE, generator=generator(seed)), share, seed, torch.nan)


def depths(batch: int = 8, share: float = 0.3, seed: int = 1) -> Tensor:
    return 0.3 + 8 * numbers(1, batch, share, seed)


def directions(batch: int = 8, share: float = 0.3, seed: int = 1) -> Tensor:
    """Unit vectors, cut to eight bits."""
    drawn = torch.nn.functional.normalize(torch.randn(batch, 3, *SIZE, generator=generator(seed)), dim=1)
    return holes((drawn * 127).round() / 127, share, seed, torch.nan)


def yes_or_no(batch: int = 8, share: float = 0.3, seed: int = 1) -> Tensor:
    return holes((torch.rand(batch, *SIZE, generator=generator(seed)) < 0.3).long(), share, seed, -1)


@dataclass(frozen=True)
class Case:
    """A dense task and targets for it; `additive`: the loss of a batch is the sum of those of its parts."""

    name: str
    build: Callable[..., DenseTask]
    target: Callable[..., Tensor]
    missing: float = torch.nan
    additive: bool = True

    def nothing(self) -> Tensor:
        return torch.full_like(self.target(), self.missing)


CASES = [
    Case("segmentation", partial(Segmentation, CLASSES), classes, -1),
    Case("absent_zero", partial(Segmentation, CLASSES, absent="zero"), classes, -1),
    Case("depth", Depth, depths),
    Case("depth_mse", partial(Depth, error="mse"), depths),
    Case("depth_log", partial(Depth, encoding=Log(top=10)), depths),
    Case("depth_zero", partial(Depth, encoding=Log(top=10)), lambda **more: depths(**more).nan_to_num(0.0), 0.0),
    Case("cosine", Normals, directions),
    Case("normals_l1", partial(Normals, error="l1"), directions),
    Case("edges", Edges, yes_or_no, -1),
    Case("edges_numbers", Edges, partial(numbers, 1)),
    Case("edges_balanced", partial(Edges, pos_weight="balanced"), yes_or_no, -1, additive=False),
    Case("saliency", Saliency, yes_or_no, -1),
    Case("saliency_balanced", partial(Saliency, pos_weight="balanced"), yes_or_no, -1, additive=False),
    Case("l1", partial(DenseRegression, 2, encoding=Affine([0.5, 0.1], [0.5, 2])), partial(numbers, 2)),
    Case("mse", partial(DenseRegression, 3, "mse", encoding=Affine(clip=[0.1, 0.9])), partial(numbers, 3)),
    Case("segmentation_loss", partial(LossSegmentation, CLASSES), classes, -1),
    Case("l1_loss", partial(LossRegression, 2, encoding=BlurredAffine(0.5, 0.1, 2)), partial(numbers, 2)),
    Case("depth_loss", partial(LossDepth, encoding=StoredLog(65535, 512)), depths),
    Case("cosine_loss", LossNormals, directions),
]
