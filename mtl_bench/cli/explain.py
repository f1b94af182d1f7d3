"""Any exception as one sentence: ours as they are, Hydra's shortened, all others with their kind and place."""

from collections.abc import Sequence
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

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
        case HydraException() | OmegaConfBaseException():
            return str(error).partition("\n    full_key:")[0].partition("\nConfig search path:")[0]
    return f"{unforeseen(error)}; --debug shows the traceback."


def _unknown_option(group: str, name: str, options: Sequence[str]) -> str:
    if extra := EXTRAS.get(f"{group}={name}"):
        return f"{group}={name} comes with a package that is missing: pip install 'mtl-bench[{extra}]'."
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
    parent = cause.parent_node
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    alike = get_close_matches(str(cause.key), known, n=1)
    guess = f"did you mean {alike[0]}?" if alike else "`mtl-bench train --cfg job` prints every key."
    first, _, rest = message.partition("\n")
    return f"{first.rstrip('.')}: {guess} {rest.partition(chr(10))[0]}."
