"""The loops of README and home page, and the check, run as they are printed."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtl_bench.methods import PCGrad

ROOT = Path(__file__).parents[2]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
BLOCKS = PYTHON.findall((ROOT / "README.md").read_text().split("## In your own loop")[1].split("\n## ")[0])
HOME = PYTHON.findall((ROOT / "docs/index.md").read_text())


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
        self.seg, self.depth = nn.Linear(6, 3), nn.Linear(6, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(image)
        return self.seg(features), self.depth(features)


def losses(output: tuple[Tensor, Tensor], targets: Tensor) -> list[Tensor]:
    return [(part - targets[:, :1]).square().mean() for part in output]


@pytest.fixture
def given() -> dict[str, Any]:
    """The names that the blocks take for granted."""
    torch.manual_seed(0)
    model = Model()
    loader = [(torch.randn(8, 4), torch.randn(8, 2)) for _ in range(3)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return {"model": model, "optimizer": optimizer, "loader": loader, "losses": losses}


@pytest.mark.parametrize("block", [BLOCKS[0], *HOME], ids=["README", "home page"])
def test_the_loop_runs_as_printed(block: str, given: dict[str, Any]) -> None:
    before = given["model"].encoder[0].weight.detach().clone()
    exec(block, given)
    assert not torch.equal(given["model"].encoder[0].weight, before)


def test_the_check_runs_as_printed(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    model = given["model"]
    image, targets = given["loader"][0]

    def my_step() -> None:
        given["optimizer"].zero_grad()
        sum(losses(model(image), targets)).backward()  # type: ignore[union-attr]

    groups = {
        "shared": list(model.encoder.parameters()),
        "heads": [list(model.seg.parameters()), list(model.depth.parameters())],
    }
    exec(BLOCKS[1], {**given, **groups, "image": image, "targets": targets, "my_step": my_step, "PCGrad": PCGrad})
    assert "The step is" in capsys.readouterr().out
