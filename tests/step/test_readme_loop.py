"""The README's loop and check, run as they are printed."""

import re
from pathlib import Path

import torch
from torch import Tensor, nn

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README.split("### In your own loop")[1].split("\n## ")[0], re.DOTALL)


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


def test_the_loop_and_the_check_run_as_printed(capsys: object) -> None:
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = [(torch.randn(8, 4), torch.randn(8, 2)) for _ in range(3)]
    shared = list(model.encoder.parameters())
    heads = [list(model.seg.parameters()), list(model.depth.parameters())]
    given = {"model": model, "optimizer": optimizer, "loader": loader, "losses": losses}
    before = model.encoder[0].weight.detach().clone()
    exec(BLOCKS[0], given)
    assert given["values"].shape == (2,)  # type: ignore[attr-defined]
    assert not torch.equal(model.encoder[0].weight, before)
    image, targets = loader[0]

    def my_step() -> None:
        optimizer.zero_grad()
        sum(losses(model(image), targets)).backward()  # type: ignore[union-attr]

    known = {
        **given,
        "image": image,
        "targets": targets,
        "shared": shared,
        "heads": heads,
        "my_step": my_step,
        "PCGrad": given["PCGrad"],
    }
    exec(BLOCKS[1], known)
    assert "The step is" in capsys.readouterr().out  # type: ignore[attr-defined]
