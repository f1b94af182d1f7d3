"""Weights of timm's: from the cache without a network, else a sentence within seconds."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from mtl_bench.errors import BenchError
from mtl_bench.models import DeepLabV3Plus
from mtl_bench.models.loaded import digests, loaded, not_drawn
from mtl_bench.models.pretrained import timm_model

REPOSITORY = "models--timm--resnet18.a1_in1k"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    return tmp_path


def keep(cache: Path, seed: int) -> dict[str, torch.Tensor]:
    """Weights of a seed, as the hub's library keeps them."""
    torch.manual_seed(seed)
    state = timm_model("resnet18", False).state_dict()
    folder = cache / REPOSITORY / "snapshots" / "abc"
    folder.mkdir(parents=True, exist_ok=True)
    (cache / REPOSITORY / "refs").mkdir(exist_ok=True)
    (cache / REPOSITORY / "refs" / "main").write_text("abc")
    save_file(state, folder / "model.safetensors")
    return state


def build() -> DeepLabV3Plus:
    return DeepLabV3Plus({"left": 2}, (3, 33, 33), depth=18, head_width=2, pretrained=True)


def test_cached_weights_are_loaded_and_name_the_run(cache: Path) -> None:
    state = keep(cache, 0)
    model = build()
    assert torch.equal(model.get_parameter("encoder.backbone.layer4.1.conv2.weight"), state["layer4.1.conv2.weight"])
    kept = loaded(not_drawn(build))
    assert "encoder.backbone.conv1.weight" in kept
    first = digests(kept)
    keep(cache, 1)
    assert digests(loaded(not_drawn(build))) != first


def test_gray_images_take_the_sum_of_the_colours(cache: Path) -> None:
    state = keep(cache, 0)
    model = DeepLabV3Plus({"left": 2}, (1, 33, 33), depth=18, head_width=2, pretrained=True)
    weight = model.get_parameter("encoder.backbone.conv1.weight")
    torch.testing.assert_close(weight, state["conv1.weight"].sum(dim=1, keepdim=True))


def slow(*given: Any, **options: Any) -> list[Any]:
    time.sleep(8)
    raise OSError


@pytest.mark.parametrize("silent", [False, True])
def test_without_a_network_there_is_one_sentence_within_five_seconds(
    silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if silent:  # a name server that does not answer
        monkeypatch.setattr(socket, "getaddrinfo", slow)
    timm_model("resnet18", False)  # imports are not what is timed
    began = time.monotonic()
    with pytest.raises(BenchError, match=r"weights of resnet18 .* are not in .* cannot be reached: .*pretrained=false"):
        build()
    assert time.monotonic() - began < 5


def test_offline_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BenchError, match="cannot be reached"):
        build()


def test_unknown_models_are_named() -> None:
    with pytest.raises(BenchError, match="timm has no model resnet19"):
        timm_model("resnet19", False)
