"""The command line's configuration from Python: for scripts, notebooks and tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import mtl_bench.open_nodes  # noqa: F401  # changes how Hydra composes
from mtl_bench.configs_folder import configs_folder
from mtl_bench.training.plan import NODES, Names, Plan, make_plan


def compose_plan(overrides: Sequence[str] = (), data: Path = Path("data")) -> Plan:
    """The plan that `mtl-bench train OVERRIDES` would carry out; packed data lies under `data`."""
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        config = compose("train", overrides=list(overrides), return_hydra_config=True)
    choices = config.hydra.runtime.choices
    del config.hydra
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    names = Names(str(choices.experiment), str(choices.method))
    return make_plan(names, {name: plain.get(name) for name in NODES}, plain["seed"], plain["only"], data)
