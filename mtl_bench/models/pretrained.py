"""Weights that timm's authors trained: from the cache, else from the hub, if that answers."""

import urllib.error
import urllib.request
from threading import Thread
from typing import Any

from torch import nn

from mtl_bench.errors import BenchError
from mtl_bench.vision import timm

PATIENCE = 3  # seconds; the hub's own library tries for 46 before it gives up
FILES = ("model.safetensors", "pytorch_model.bin")


def timm_model(name: str, pretrained: bool, **options: Any) -> nn.Module:
    """A model of timm's without in-place layers: engines read cotangents at layer outputs.

    Raises `BenchError` for a name that timm does not know, and where weights are neither cached nor to be had.
    """
    if name not in timm().list_models():
        raise BenchError(f"timm has no model {name}: choose one of `timm.list_models()`.")
    overlay = {"file": _weights(name), "custom_load": False} if pretrained else None
    model: nn.Module = timm().create_model(name, pretrained=pretrained, pretrained_cfg_overlay=overlay, **options)
    for module in model.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return model


def _weights(name: str) -> str:
    """The file with the weights of a timm model."""
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    config = timm().get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise BenchError(f"timm has no weights for {name}: set model.pretrained=false.")
    files = [config.hf_hub_filename] if config.hf_hub_filename else list(FILES)
    for file in files:
        cached = try_to_load_from_cache(config.hf_hub_id, file)
        if isinstance(cached, str):
            return cached
    endpoint, cache = constants.ENDPOINT, constants.HF_HUB_CACHE
    if constants.HF_HUB_OFFLINE or not _answers(endpoint):
        raise BenchError(
            f"The weights of {name} ({config.hf_hub_id}) are not in {cache}, and {endpoint} cannot be reached: load "
            "them once where it can and copy that folder, or set model.pretrained=false."
        )
    try:
        return hf_hub_download(config.hf_hub_id, files[0])
    except Exception as error:  # a proxy, a full disk, a model that was taken away
        raise BenchError(f"The weights of {name} cannot be loaded from {endpoint} ({error}).") from error


def _answers(endpoint: str) -> bool:
    """Whether anything, an error included, comes back soon; in a thread since a name server's silence has no limit."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PATIENCE)
        except urllib.error.HTTPError:
            answered.append(True)
        except OSError:
            return
        else:
            answered.append(True)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE + 1)
    return bool(answered)
