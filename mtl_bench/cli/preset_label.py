"""What boards call a method as its YAML stands, which may hold options that are not its class's defaults."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.records.identity import canonical
from mtl_bench.training.setting import method_label

NO_OPTIONS: Mapping[str, Any] = {}


def preset_label(method: str, options: Mapping[str, Any] = NO_OPTIONS) -> str:
    """With these options beside those of the YAML. The name alone, of no row, where a value is still to be given; and
    of a method that has no YAML here."""
    path = configs_folder() / "method" / f"{method}.yaml"
    if not path.is_file():
        return method_label(method, {"method": options})
    configured = OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(path), options))
    try:
        return method_label(method, {"method": canonical(configured)})
    except BenchError:
        return method
