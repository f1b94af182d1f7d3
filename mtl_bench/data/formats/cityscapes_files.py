"""Cityscapes as published: `{type}/{split}/{city}/{city}_{sequence}_{frame}_{type}.png`, and a camera per frame."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from mtl_bench.data.sources import SourceFile

SIZE = (1024, 2048)
PAGE = "www.cityscapes-dataset.com (after a registration)"
COUNTS = {"train": 2975, "val": 500}
CITIES = (
    *("aachen", "bochum", "bremen", "cologne", "darmstadt", "dusseldorf", "erfurt", "hamburg", "hanover", "jena"),
    *("krefeld", "monchengladbach", "strasbourg", "stuttgart", "tubingen", "ulm", "weimar", "zurich"),
    *("frankfurt", "lindau", "munster"),
)
NAME = re.compile(r"([a-z-]+)_(\d{6})_(\d{6})")

# Classes by id, 0 to 33; -1: void, or not evaluated. 19: `trainId` of the official table; 7: its categories, in order.
VOID = -1
CLASSES: Mapping[int, tuple[int, ...]] = {
    19: (*[VOID] * 7, 0, 1, *[VOID] * 2, 2, 3, 4, *[VOID] * 3, 5, VOID, *range(6, 16), *[VOID] * 2, 16, 17, 18),
    7: (*[VOID] * 7, *[0] * 4, *[1] * 6, *[2] * 4, *[3] * 2, 4, *[5] * 2, *[6] * 8),
}


@dataclass(frozen=True)
class Archive:
    """Where the files of one type lie, how they end, and what to download for them."""

    folder: str
    ending: str
    zip: str

    @property
    def remedy(self) -> str:
        return f"download {self.zip} from {PAGE} and unpack it"


ARCHIVES: Mapping[str, Archive] = {
    "image": Archive("leftImg8bit", "_leftImg8bit.png", "leftImg8bit_trainvaltest.zip (11 GB)"),
    "segmentation": Archive("gtFine", "_gtFine_labelIds.png", "gtFine_trainvaltest.zip (241 MB)"),
    "depth": Archive("disparity", "_disparity.png", "disparity_trainvaltest.zip (3.5 GB)"),
    "camera": Archive("camera", "_camera.json", "camera_trainvaltest.zip (2 MB)"),
}
REMEDIES = {kind: archive.remedy for kind, archive in ARCHIVES.items()}


def official_folders(folder: Path, kinds: Collection[str]) -> dict[str, Path]:
    """Where each type lies: in `folder` or in a folder of it, as when archives are unpacked into ones of their own."""
    return {kind: _official_folder(folder, ARCHIVES[kind].folder) for kind in kinds}


def frame_names(folders: Mapping[str, Path], split: str) -> list[str]:
    """`aachen_000000_000019` and so on, in their order: every frame of which there is a file of any type."""
    return sorted(
        {
            path.name.removesuffix(ARCHIVES[kind].ending)
            for kind, folder in folders.items()
            for path in folder.glob(f"{split}/*/*{ARCHIVES[kind].ending}")
            if NAME.fullmatch(path.name.removesuffix(ARCHIVES[kind].ending))
        }
    )


def frame_files(folders: Mapping[str, Path], split: str, name: str) -> dict[str, Path]:
    city = name.split("_")[0]
    return {kind: folder / split / city / f"{name}{ARCHIVES[kind].ending}" for kind, folder in folders.items()}


def frame_number(name: str) -> list[int]:
    """City (its place in `CITIES`, -1 for another one), sequence and frame."""
    city, sequence, frame = name.split("_")
    return [CITIES.index(city) if city in CITIES else -1, int(sequence), int(frame)]


def read_street(path: Path) -> UInt8[np.ndarray, "3 1024 2048"]:
    return _pixels(path, "image", (*SIZE, 3)).transpose(2, 0, 1)


def read_ids(path: Path) -> UInt8[np.ndarray, "1024 2048"]:
    """Labels as published, 0 to 33."""
    ids = _pixels(path, "segmentation", SIZE)
    SourceFile(path, REMEDIES["segmentation"]).require(ids.max() < len(CLASSES[19]), f"holds the label {ids.max()}")
    return ids


def read_disparity(path: Path) -> UInt16[np.ndarray, "1024 2048"]:
    """As published: p is (p - 1) / 256 pixels, 0 is unknown."""
    stored = _pixels(path, "depth", SIZE)
    wide = stored.dtype.itemsize > 1  # Pillow has read 16 bits as 32 before
    SourceFile(path, REMEDIES["depth"]).require(wide, "has 8 bits per pixel, and disparity needs its 16")
    return stored.astype(np.uint16)


def read_focal_baseline(path: Path) -> float:
    """Baseline times focal length: metres at which the disparity is one pixel."""
    file = SourceFile(path, REMEDIES["camera"])
    with file.structure("no camera file with extrinsic.baseline and intrinsic.fx"):
        camera = json.loads(path.read_text())
        product = float(camera["extrinsic"]["baseline"]) * float(camera["intrinsic"]["fx"])
    file.require(product > 0, "holds a baseline or focal length that is not above 0")
    return product


def _official_folder(folder: Path, name: str) -> Path:
    places = (folder / name, *sorted(folder.glob(f"*/{name}")))
    return next((path for path in places if any((path / split).is_dir() for split in COUNTS)), folder / name)


def _pixels(path: Path, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    file = SourceFile(path, REMEDIES[kind])
    with file.structure("truncated, damaged or no picture"):
        pixels = np.asarray(Image.open(path))
    file.require(pixels.shape == shape, f"has the shape {pixels.shape} instead of {shape}")
    return pixels
