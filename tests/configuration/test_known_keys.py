"""What a YAML of one's own, or a `+`, adds is read by somebody, or refused."""

from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.job import compose_job

ONES_OWN = """\
{first}
defaults: [/model: mlp, /protocol: plain]
dataset: {{_target_: mtl_bench.data.digits.MultiDigits}}
tasks: {{left: {{_target_: mtl_bench.tasks.Classification, classes: 10}}}}
"""


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("+batch_size=9", "Nothing reads the key batch_size; did you mean protocol.training.batch_size?"),
        ("+protocol.trainng.batch_size=9", "Nothing reads the key protocol.trainng; did you mean protocol.training?"),
        ("+paths.packed=9", "Nothing reads the key paths.packed; `mtl-bench train --cfg job` prints every key."),
    ],
)
def test_a_key_that_nothing_reads_is_refused(typed: str, says: str) -> None:
    with pytest.raises(BenchError) as caught:
        compose_job([typed])
    assert str(caught.value) == says


def test_a_key_that_another_refers_to_stands() -> None:
    assert compose_job(["+hers.width=9", "experiment=multidigits", "model=mlp", "model.hidden=[${hers.width}]"])


def test_an_experiment_that_sets_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    yaml = tmp_path / "experiment/mine.yaml"
    yaml.write_text(ONES_OWN.format(first="# no package"))
    with pytest.raises(BenchError, match="its first line must be `# @package _global_`"):
        compose_job([f"hydra.searchpath=[{tmp_path}]", "experiment=mine"])
    yaml.write_text(ONES_OWN.format(first="# @package _global_"))
    assert compose_job([f"hydra.searchpath=[{tmp_path}]", "experiment=mine"])
