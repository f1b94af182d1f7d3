"""A composed configuration as plain data: where Hydra ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from mtl_bench.configuration.known_keys import check_keys
from mtl_bench.errors import BenchError


def plain_of(config: DictConfig, job: str) -> dict[str, Any]:
    """Resolved dicts, lists and scalars. Raises MissingMandatoryValue for a `???`, BenchError for a key that the job
    does not read."""
    check_keys(config, job)
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))


def paths_of(plain: Mapping[str, Any]) -> dict[str, Path]:
    """The folders under `paths`. Raises BenchError for what names none."""
    for name, path in plain["paths"].items():
        if not isinstance(path, str) or not path:
            raise BenchError(f"paths.{name} must name a folder, got {path!r}.")
    return {name: Path(path) for name, path in plain["paths"].items()}
