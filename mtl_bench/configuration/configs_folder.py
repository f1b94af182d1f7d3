"""Where the YAMLs lie, and the groups that they make."""

from pathlib import Path


def configs_folder() -> Path:
    """Inside the installed package, or beside it in a checkout (so that an edit there is never shadowed)."""
    package = Path(__file__).parents[1]
    beside = package.parent / "configs"
    return beside if (beside / "train.yaml").is_file() else package / "configs"


def option_groups() -> list[str]:
    """Every folder there is a group, of which a YAML is an option."""
    return sorted(path.name for path in configs_folder().iterdir() if path.is_dir() and any(path.glob("*.yaml")))
