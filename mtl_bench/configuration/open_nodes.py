"""Every option of a class can be given without a `+`, whether or not a YAML lists it.

Hydra closes a composed configuration before it applies overrides, so that a misspelt key is refused. Inside a node with
a `_target_` the class knows better which keys there are (`training.arguments` asks it, before anything is packed or
built), and a YAML repeats no defaults. Importing this module opens those nodes, for the command line, for sweepers and
launchers of any kind (they unpickle the job, and with it import this) and for `mtl_bench.job`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf

Compose = Callable[..., DictConfig]
STEP = "_compose_config_from_defaults_list"


def _opening(compose: Compose) -> Compose:
    """Hydra has no hook between composing and overriding; this step of its loader lies there."""

    @wraps(compose)
    def composed(*args: Any, **kwargs: Any) -> DictConfig:
        config = compose(*args, **kwargs)
        for key, node in config.items_ex(resolve=False):
            if key != "hydra":
                _open(node)
        return config

    return composed


def _open(node: Any) -> None:
    if not isinstance(node, DictConfig):
        return
    if "_target_" in node:
        OmegaConf.set_struct(node, False)  # which everything below inherits
        return
    for _, part in node.items_ex(resolve=False):
        _open(part)


setattr(ConfigLoaderImpl, STEP, _opening(getattr(ConfigLoaderImpl, STEP)))
