"""Folders of images as Office-Home and Office-31 have them: a few classes, images of different sizes."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_office(folder: Path, domains: list[str], classes: int, images: int, below: str = "") -> None:
    draw = np.random.RandomState(0)
    for domain in domains:
        for number in range(classes):
            place = folder / domain / below / f"class_{number:02d}"
            place.mkdir(parents=True, exist_ok=True)
            for image in range(images):
                size = (30 + draw.randint(9), 25, 3)
                pixels = draw.randint(0, 256, size).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{image:05d}.jpg")
