"""The grid that a suite's YAML names: which experiments, methods and seeds."""

from dataclasses import dataclass
from pathlib import Path

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError

AXES = ("experiment", "method", "seed")


@dataclass(frozen=True)
class SuiteGrid:
    """Every experiment is trained by every method with every seed; `further` keys are swept as well."""

    name: str
    experiments: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    further: tuple[str, ...] = ()


def suite_grid(suite: str) -> SuiteGrid:
    """Of a name in `configs/suite`, or of a YAML file. Raises BenchError when there is none, or it spans no grid."""
    from omegaconf import OmegaConf  # late: who asks for no suite pays for neither this nor Hydra

    folder = configs_folder() / "suite"
    path = Path(suite) if suite.endswith((".yaml", ".yml")) else folder / f"{suite}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise BenchError(f"There is no suite {suite!r}; choose among {known}, or name a YAML file.")
    params = OmegaConf.select(OmegaConf.load(path), "hydra.sweeper.params") or {}
    axes = {key: _swept(f"{key}={value}") for key, value in params.items()}
    for key in AXES:
        if key not in axes:
            raise BenchError(f"{path} sweeps over no {key}; a grid needs experiment, method and seed.")
    further = tuple(key for key, values in axes.items() if key not in AXES and len(values) > 1)
    return SuiteGrid(path.stem, axes["experiment"], axes["method"], tuple(map(int, axes["seed"])), further)


def suites_of(experiment: str) -> list[SuiteGrid]:
    """Of the package's suites those on this experiment."""
    found = (suite_grid(path.stem) for path in sorted((configs_folder() / "suite").glob("*.yaml")))
    return [grid for grid in found if experiment in grid.experiments]


def _swept(override: str) -> tuple[str, ...]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_override(override)
    return tuple(parsed.sweep_string_iterator()) if parsed.is_sweep_override() else (str(parsed.value()),)
