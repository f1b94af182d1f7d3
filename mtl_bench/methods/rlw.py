"""Random loss weighting."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.methods.loss_weighting import LossWeighting


@dataclass(kw_only=True, eq=False)
class RandomLossWeighting(LossWeighting):
    """w = softmax(v), v ~ N(0, I_k), drawn anew for every batch (Lin et al., TMLR 2022, normal law).

    E[w] = 1/k, so that under SGD the raw method steps k times shorter than the plain sum; here w is multiplied by k
    (`raw_scale=True`: as published). With `scale_heads=False` it is RGW: heads feel no weight. Other laws, as `law`:

    * "uniform": softmax of U[0, 1];
    * "dirichlet": uniform on the simplex, used as it is (code of the first version takes its softmax);
    * "bernoulli": 0 or 1 by a fair coin, drawn again while all are 0, divided by their sum (that code does not);
    * "one_hot": one task alone (that code's constrained Bernoulli).

    Cost: 1 forward, 1 backward. The draw lives on the host and is copied to the device; nothing comes back.

    Raises BenchError for an unknown law.
    """

    natural_sum: ClassVar[Literal[1]] = 1
    separable: ClassVar[bool] = False

    law: Literal["normal", "uniform", "dirichlet", "bernoulli", "one_hot"] = "normal"

    def weights(
        self, values: Float[Tensor, "k"], *, tasks: tuple[int, ...], generator: torch.Generator | None = None
    ) -> Float[Tensor, "k"]:
        return self.draw(len(tasks), generator).to(values.device, non_blocking=True)

    def draw(self, k: int, generator: torch.Generator | None) -> Float[Tensor, "k"]:
        """On the host, with sum 1."""
        match self.law:
            case "uniform":
                return torch.rand(k, generator=generator).softmax(dim=0)
            case "dirichlet":
                drawn = torch.empty(k).exponential_(generator=generator)
            case "bernoulli":
                drawn = torch.zeros(k)
                while not drawn.any():
                    drawn = torch.randint(2, (k,), generator=generator).float()
            case "one_hot":
                drawn = torch.eye(k)[int(torch.randint(k, (), generator=generator))]
            case _:
                return torch.randn(k, generator=generator).softmax(dim=0)
        return drawn / drawn.sum()
