"""Where the YAMLs lie."""

from pathlib import Path


def configs_folder() -> Path:
    """Inside the installed package, or beside it in a checkout (so that an edit there is never shadowed)."""
    package = Path(__file__).parents[1]
    beside = package.parent / "configs"
    return beside if (beside / "train.yaml").is_file() else package / "configs"
