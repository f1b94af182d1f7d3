"""Vision transformers with taps at several depths."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import EncoderModel
from mtl_bench.models.dense_head import Readout
from mtl_bench.models.heads import build_heads
from mtl_bench.models.padding import enlarge_and_crop, next_multiple, padded
from mtl_bench.models.pretrained import timm_model

PATCH = 16
BLOCKS = {"tiny": 12, "small": 12, "base": 12, "large": 24}


class ViT(EncoderModel):
    """ViT-T/S/B/L with 16×16 patches, and one 1×1 convolution per task (STGU's released model).

    Tokens after a quarter, a half and three quarters of the blocks and after the last norm become maps, which are
    concatenated: the shared tensor `[batch, 4·width, ⌈height/16⌉, ⌈width/16⌉]`, width 192, 384, 768 or 1024. Heads
    enlarge bilinearly. Blocks, sizes and position embeddings are timm's `vit_<size>_patch16_384`, resampled to the
    image; images are padded to a multiple of 16. `pretrained` loads timm's ImageNet weights.

    Published (Jeong and Yoon, ICLR 2025, released code): tiny with taps after blocks 3, 6, 9 and the norm, large with
    6, 12, 18 and the last, `drop_path` 0.15. Inferred: small and base tapped as tiny; the last tap of large after the
    norm too. Untrained weights are drawn as timm's. Without BatchNorms, and its LayerNorms come before linear layers,
    so that there are no norms per task.

    Raises `BenchError` for another size, and for weights that are not to be had.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        size: Literal["tiny", "small", "base", "large"] = "tiny",
        drop_path: float = 0.15,
        pretrained: bool = False,
    ) -> None:
        if size not in BLOCKS:
            raise BenchError(f"There is no ViT of size {size!r} here: set `model.size` to {', '.join(BLOCKS)}.")
        channels, *image = input_shape
        options = {"img_size": next_multiple(image, PATCH), "in_chans": channels, "drop_path_rate": drop_path}
        vit = timm_model(f"vit_{size}_patch16_384", pretrained, num_classes=0, **options)
        encoder = TappedTransformer(vit, [BLOCKS[size] // 4 * quarter for quarter in (1, 2, 3)])
        shape = (image[0], image[1])
        super().__init__(encoder, build_heads(outputs, lambda n: PatchHead(encoder.features, n, shape)), False)

    def reset_module(self, module: nn.Module) -> None:
        """Linear layers and position embeddings truncated normal of 0.02, as timm draws them."""
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif hasattr(module, "pos_embed"):
            nn.init.trunc_normal_(module.get_parameter("pos_embed"), std=0.02)
            nn.init.normal_(module.get_parameter("cls_token"), std=1e-6)
        else:
            super().reset_module(module)


class TappedTransformer(nn.Module):
    """Maps of the tokens after so many blocks, and after the last norm, one above the other."""

    def __init__(self, vit: Any, after: list[int]) -> None:
        super().__init__()
        self.vit = vit
        self.indices = [blocks - 1 for blocks in after]
        self.features: int = (len(after) + 1) * vit.embed_dim

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features h w"]:
        last, maps = self.vit.forward_intermediates(padded(image, PATCH), indices=self.indices)
        tokens = last[:, self.vit.num_prefix_tokens :]
        return torch.cat([*maps, tokens.transpose(1, 2).reshape(maps[0].shape)], dim=1)


class PatchHead(nn.Module):
    """A 1×1 convolution on the map of patches, enlarged to `size` (height, width)."""

    def __init__(self, features: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.readout = Readout(features, outputs, 1)
        self.size = size

    def forward(self, maps: Float[Tensor, "batch features h w"]) -> Float[Tensor, "batch n height width"]:
        return enlarge_and_crop(self.readout(maps), self.size, PATCH)
