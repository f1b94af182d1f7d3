"""The command line's configuration from Python: for scripts, notebooks and tests."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra import compose, initialize_config_dir

import mtl_bench.configuration.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.configuration.choices import Choices
from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.configuration.plain import plain_of
from mtl_bench.job.job import Job
from mtl_bench.training.plan import Plan


def compose_job(overrides: Sequence[str] = ()) -> Job:
    """The job that `mtl-bench train OVERRIDES` would carry out: `compose_job(["method=uw"]).train()` is its record."""
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        config = compose("train", overrides=list(overrides), return_hydra_config=True)
    choices = Choices.of(config.hydra)
    del config.hydra
    return Job.of(plain_of(config, "train"), choices)


def compose_plan(overrides: Sequence[str] = (), data: Path = Path("data")) -> Plan:
    """The plan that `mtl-bench train OVERRIDES` would carry out; packed data lies under `data`."""
    job = compose_job(overrides)
    return replace(job, paths={**job.paths, "data": data}).plan()
