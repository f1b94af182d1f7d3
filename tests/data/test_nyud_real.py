"""NYUD-MT on real frames, where they lie beside the repository: put into its form, and read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_bench.data.benchmarks.nyud import NYUD
from mtl_bench.data.benchmarks.nyuv2 import CAMERA
from mtl_bench.data.dataset import prepare
from mtl_bench.data.maps.plane_normals import plane_normals
from tests.data.nyud_files import FORMS, KINDS, Frame, write

REAL = Path(__file__).parents[3] / "shared" / "data" / "nyuv2"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real frames in {REAL}")


def picture(*parts: str) -> np.ndarray:
    return np.asarray(Image.open(REAL.joinpath(*parts)))


def frames() -> dict[str, Frame]:
    """Two frames as they are; normals are planes fitted to their depth, edges lie where classes change."""
    depths = {
        "0001": np.load(REAL / "depth" / "test" / "0001.npy"),
        "0464": picture("depth", "test", "0464.png") / 5000,
    }
    found = {}
    for name, depth in depths.items():
        classes = picture("seg40", "test", f"{name}.png")
        normals = plane_normals(depth.astype(np.float32), CAMERA, np.arange(480), np.arange(640))
        found[name] = {
            "images": picture("image", "test", f"{name}.png"),
            "segmentation": classes,
            "depth": depth.astype(np.float32),
            "normals": np.nan_to_num(normals).transpose(1, 2, 0).astype(np.float32),
            "edge": (classes != np.roll(classes, 1, axis=1)).astype(np.float32),
        }
    return found


def write_real(folder: Path, form: str) -> dict[str, Frame]:
    made = frames()
    (folder / "gt_sets").mkdir(parents=True)
    for split, name in (("train", "0464"), ("val", "0001")):
        (folder / "gt_sets" / f"{split}.txt").write_text(f"{name}\n")
        for kind, ending in zip(KINDS, FORMS[form][0], strict=True):
            array = made[name][kind] if form != "invpt" else made[name][kind][45:470, 41:601]
            write(folder / kind / f"{name}{ending}", kind, array)
    return made


@pytest.mark.parametrize("form", ["vandenhende", "invpt"])
def test_every_field_is_what_numpy_and_pillow_read(tmp_path: Path, form: str) -> None:
    made = write_real(tmp_path / "raw", form)
    packed = prepare(NYUD(frame="cropped"), tmp_path / "data", tmp_path / "raw")
    inner = (slice(11, 436), slice(8, 568))
    for split, name in (("train", "0464"), ("test", "0001")):
        arrays = {field: array[0] for field, array in packed.arrays(split).items()}
        frame = {kind: array[45:470, 41:601] for kind, array in made[name].items()}
        image = np.asarray(Image.open(tmp_path / "raw" / "images" / f"{name}{FORMS[form][0][0]}"))
        image = image if form == "invpt" else image[45:470, 41:601]
        np.testing.assert_array_equal(arrays["image"][(..., *inner)], image.transpose(2, 0, 1))
        np.testing.assert_array_equal(arrays["segmentation"][inner], frame["segmentation"].astype(int) - 1)
        np.testing.assert_array_equal(arrays["depth"][0][inner], frame["depth"])
        np.testing.assert_array_equal(arrays["edge"][inner], frame["edge"])
        normal = arrays["normal"][(..., *inner)].astype(float)
        known = ~np.isnan(normal[0])
        assert known.mean() > 0.5
        np.testing.assert_allclose(normal[:, known], frame["normals"].transpose(2, 0, 1)[:, known], atol=5e-3)
        assert (normal[2, known] < 0.1).mean() > 0.97  # towards the camera
        assert ((arrays["segmentation"] >= 0).sum(), (arrays["depth"] > 0).sum()) == (
            (frame["segmentation"] > 0).sum(),
            (frame["depth"] > 0).sum(),
        )
