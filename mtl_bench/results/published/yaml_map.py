"""The YAML files beside the published tables, read as far as that they hold what is asked of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mtl_bench.errors import BenchError


def yaml_map(path: Path, parts: Mapping[str, type], otherwise: str) -> dict[str, Any]:
    """The file's map with these parts. Raises BenchError, of which `otherwise` says what to do."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BenchError(f"{path} cannot be read ({' '.join(str(error).split())}); {otherwise}.") from error
    given = found if isinstance(found, dict) else {}
    if lacking := [name for name, kind in parts.items() if not isinstance(given.get(name), kind)]:
        raise BenchError(f"{path} has no {parts[lacking[0]].__name__} {lacking[0]!r}; {otherwise}.")
    return given
