"""Any exception as one sentence: ours as they are, Hydra's shortened, all others with their kind and place."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import Mark, MarkedYAMLError

from mtl_bench.configuration.known_keys import keys_ending_in
from mtl_bench.errors import BenchError, unforeseen

MOST = 12  # options of a group in one sentence
EXTRAS = {  # Hydra plugins: our extra that installs them
    "hydra/launcher=joblib": "launchers",
    "hydra/launcher=submitit_local": "launchers",
    "hydra/launcher=submitit_slurm": "launchers",
    "hydra/sweeper=optuna": "sweepers",
}


def explain(error: BaseException) -> str:
    """One line that a person can act on."""
    return " ".join(_explain(error).split())


def _explain(error: BaseException) -> str:
    cause = error.__cause__
    match error:
        case BenchError():
            return str(error)
        case MissingConfigException(missing_cfg_file=str(missing), options=options) if options:
            group, _, name = missing.rpartition("/")
            return _unknown_option(group, name, options)
        case MissingMandatoryValue(full_key=str(key)):
            return f"{key} has no value yet (???): give it one with {key}=…"
        case HydraException() if isinstance(cause, OmegaConfBaseException) and "Could not override" in str(error):
            return _unknown_key(str(error), cause)
        case OverrideParseException():
            return f"{error.override!r} cannot be read ({error.message.splitlines()[0]}); quote it for the shell."
        case HydraException() if several := re.search(r"Ambiguous value for argument '(.*)'", str(error)):
            key, _, values = several[1].partition("=")
            return (
                f"{several[1]} names several values: add -m for a sweep over them, or write a list as {key}=[{values}]."
            )
        case MarkedYAMLError(problem_mark=Mark() as mark):
            return f"{mark.name}, line {mark.line + 1}, is not YAML: {error.problem}."
        case HydraException() | OmegaConfBaseException():
            return str(error).partition("\n    full_key:")[0].partition("\nConfig search path:")[0]
    return f"{unforeseen(error)}; --debug shows the traceback."


def _unknown_option(group: str, name: str, options: Sequence[str]) -> str:
    if extra := EXTRAS.get(f"{group}={name}"):
        return f"{group}={name} comes with a package that is missing: pip install 'mtl-bench[{extra}]'."
    if group in ("hydra/launcher", "hydra/sweeper"):
        choice = f"choose among {', '.join(options)}, or install the Hydra plugin that brings it."
        return f"There is no {group} {name!r}; {choice}"
    alike = get_close_matches(name, options)
    if alike:
        choice = f"did you mean {', '.join(alike)}? `mtl-bench list {group}` shows all"
    elif len(options) > MOST:
        choice = f"choose among {', '.join(options[:MOST])}, … (`mtl-bench list {group}` shows all)"
    else:
        choice = f"choose among {', '.join(options)}"
    return f"There is no {group} {name!r}; {choice}, or name yours with --config-dir."


def _unknown_key(message: str, cause: OmegaConfBaseException) -> str:
    """Hydra's first two lines (what it could not override, how to add it), and a key that looks alike."""
    parent, key = cause.parent_node, str(cause.key)
    known = [str(one) for one in parent] if isinstance(parent, DictConfig) else []
    first, _, rest = message.partition("\n")
    alike, adding = get_close_matches(key, known, n=1), rest.partition("\n")[0]
    if isinstance(parent, DictConfig) and cause.full_key == key:  # of the whole, to which nothing can be added
        alike, adding = alike or keys_ending_in(key, parent), ""
    guess = f"did you mean {', '.join(alike)}?" if alike else "`mtl-bench train --cfg job` prints every key."
    return f"{first.rstrip('.')}: {guess} {adding}"
