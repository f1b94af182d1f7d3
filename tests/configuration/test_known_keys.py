"""What a YAML of one's own, or a `+`, adds is read by somebody, or refused."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.configuration.plain import plain_of
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
        ("+budget=2", "Nothing reads the key budget; did you mean protocol.training.budget?"),  # `group` would
        ("+grouping=random", "Nothing reads the key grouping; `mtl-bench train --cfg job` prints every key."),
        ("+space=cagrad", "Nothing reads the key space; `mtl-bench train --cfg job` prints every key."),
        ("+paths.packed=9", "Nothing reads the key paths.packed; `mtl-bench train --cfg job` prints every key."),
    ],
)
def test_a_key_that_nothing_reads_is_refused(typed: str, says: str) -> None:
    with pytest.raises(BenchError) as caught:
        compose_job([typed])
    assert str(caught.value) == says


@pytest.mark.parametrize("job", ["train", "group", "recon", "tune", "prepare", "cost"])
def test_every_job_reads_what_its_yaml_holds(job: str) -> None:
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        assert plain_of(compose(job, overrides=["method=cagrad"] if job == "tune" else []), job)


def test_no_job_reads_what_another_does() -> None:
    """All that `group` reads may be typed, and `train` reads none of it."""
    with pytest.raises(BenchError, match=r"^Nothing reads the key (grouping|budget|seeds); "):
        compose_job(["+grouping=random", "+budget=2", "+seeds=[0,1,2]"])


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
