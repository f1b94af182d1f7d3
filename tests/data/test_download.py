"""Downloads, with torchvision's own transfer function replaced."""

import shutil
from pathlib import Path
from urllib.error import URLError

import pytest

from mtl_bench.data.formats import idx
from mtl_bench.errors import BenchError
from mtl_bench.vision import torchvision

TRANSFER = "torchvision.datasets.mnist.download_and_extract_archive"


@pytest.fixture(autouse=True)
def _torchvision() -> None:
    torchvision()  # so that the name above can be resolved


def test_without_network_one_sentence_says_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(TRANSFER, unreachable)
    with pytest.raises(BenchError) as caught:
        idx.find_or_download("fashion", [tmp_path / "source", tmp_path / "raw"])
    message = str(caught.value)
    assert "\n" not in message
    assert "no route to host" in message
    assert str(tmp_path / "raw" / "fashion") in message
    assert all(f"{file}.gz" in message for pair in idx.FILES.values() for file in pair)
    assert not list((tmp_path / "raw").iterdir())


def test_a_download_lands_whole_and_silently(
    tmp_path: Path, official: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def transfer(_: str, download_root: str, filename: str, **__: object) -> None:
        print("Downloading")
        content = idx.read_idx(official / "mnist" / filename)
        header = b"\x00\x00\x08" + bytes([content.ndim]) + b"".join(n.to_bytes(4, "big") for n in content.shape)
        (Path(download_root) / filename.removesuffix(".gz")).write_bytes(header + content.tobytes())
        shutil.copy(official / "mnist" / filename, download_root)

    monkeypatch.setattr(TRANSFER, transfer)
    read = idx.read_official("mnist", [tmp_path / "raw"])
    assert [len(labels) for _, labels in read.values()] == [60, 20]
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["mnist"]
    assert all(path.is_file() for path in (tmp_path / "raw" / "mnist").iterdir())
    assert capsys.readouterr().out == ""
