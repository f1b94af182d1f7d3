"""Which task a channel serves best, and gradients that respect it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def connection_strength(
    weight: Float[Tensor, "channels ..."],
    gamma: Float[Tensor, "K channels"],
    running_var: Float[Tensor, "K channels"] | None,
    eps: float = 1e-5,
) -> Float[Tensor, "K channels"]:
    """Ŝ of each task and output channel, 1 in sum over channels (CSO eq. 4, 6 and 7; the 1/k² of eq. 4 cancels).

    S = γ² / (v + ε) · Σ w²: the convolution's energy in a channel times the squared gain of the task's BatchNorm, with
    v its running variance. `running_var=None`: LayerNorm, which has none (our extension). A task without any strength
    has 0 in every channel.
    """
    energy = weight.flatten(1).square().sum(dim=1)
    gain = gamma.square() if running_var is None else gamma.square() / (running_var + eps)
    strength = energy * gain
    return strength / strength.sum(dim=1, keepdim=True).clamp(min=torch.finfo(strength.dtype).tiny)


def project_onto_priority(
    gradients: Float[Tensor, "K channels *shape"], priority: Int[Tensor, "channels"]
) -> Float[Tensor, "channels *shape"]:
    """Sum of the task gradients of one layer after each group's conflicts with its top task are removed (alg. 1).

    The channels p with `priority[p]` = i are one vector; task j's gradient u on it becomes u − min(⟨r, u⟩, 0) / ‖r‖² r,
    with r task i's. Without a conflict the result is the plain sum, bit for bit.
    """
    rows = gradients.flatten(2) if gradients.ndim > 2 else gradients.unsqueeze(2)
    tasks, channels, _ = rows.shape
    top = rows[priority, torch.arange(channels, device=rows.device)]  # [channels, n], each channel's reference
    member = torch.nn.functional.one_hot(priority, tasks).to(rows)  # [channels, K]
    inner = torch.einsum("kcn,cn->kc", rows, top) @ member  # [K, K]: ⟨u_j, r_i⟩ on the group of i
    squares = inner.diagonal()
    factor = torch.where(squares > 0, inner.clamp(max=0) / squares, torch.zeros_like(inner)).sum(dim=0)
    return (rows.sum(dim=0) - factor[priority].unsqueeze(1) * top).reshape(gradients.shape[1:])
