"""The reference pages of the documentation, made from the sources while MkDocs builds (a hook of `mkdocs.yml`).

Method cards and metrics come from docstrings and signatures, configuration keys from the YAMLs and their comments, the
record's schema from its TypedDicts and theirs: no text is written twice.
"""

import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docs_nav import filled
from docs_tables import arguments, cell, keys_table, plain, schema, table
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import mtl_bench.methods
import mtl_bench.tasks
from mtl_bench.cli.listing import describe
from mtl_bench.cli.verbs import HYDRA
from mtl_bench.configuration.configs_folder import option_groups
from mtl_bench.methods import Method

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
RECORDS = """# Records and entries

A run leaves `record.json`, a choice of task groups, layers or hyper-parameters one file under `entries/`, all JSON.
`Record` and `EntryFile` are the files; what follows each are its parts."""
SCHEMAS = ("mtl_bench/records/record.py", "mtl_bench/records/entry.py")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = filled(config.nav or [], lambda folder: [path for path in pages() if path.startswith(folder)])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


@cache
def pages() -> dict[str, str]:
    """Path in the site → Markdown."""
    exported = [getattr(mtl_bench.methods, name) for name in sorted(mtl_bench.methods.__all__, key=str.lower)]
    kinds = [kind for kind in exported if issubclass(kind, Method)]
    bases = dict.fromkeys(base for kind in kinds for base in _bases(kind) if _yamls(base) == [])
    families = [base for base in bases if inspect.isabstract(base)]
    chosen = [kind for kind in kinds if kind not in families]
    groups = {group: sorted((CONFIGS / group).glob("*.yaml")) for group in option_groups()}
    groups |= {job: [CONFIGS / f"{job}.yaml"] for job in HYDRA}
    return {
        "reference/methods/index.md": f"# Methods\n\n{_overview(chosen)}\n\n## Families\n\n{_overview(families)}",
        **{f"reference/methods/{kind.__name__}.md": _card(kind) for kind in (*chosen, *families)},
        **{f"reference/configuration/{group}.md": _group(group, paths) for group, paths in groups.items()},
        "reference/metrics.md": _metrics(),
        "reference/record.md": "\n\n".join([RECORDS, *(schema(ROOT / path) for path in SCHEMAS)]),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(),
    }


def _overview(kinds: list[type]) -> str:
    rows = [(f"[{kind.__name__}]({kind.__name__}.md)", _presets(kind), _first(kind)) for kind in kinds]
    return table(("class", "`method=`", "what it is"), rows, "")


def _card(kind: type) -> str:
    bases = " → ".join(f"[{base.__name__}]({base.__name__}.md)" for base in _bases(kind))
    name = kind.__name__
    parts = [f"# {name}", f"`from mtl_bench.methods import {name}`", _doc(kind)]
    parts += ["## Arguments", arguments(kind)]
    parts += [f"What is not described above is described by the classes it derives from: {bases}."] if bases else []
    parts += [f"## `method={path.stem}`\n\n{describe(path)}.\n\n{keys_table(path)}" for path in _yamls(kind)]
    return "\n\n".join(parts)


def _bases(kind: type) -> list[type]:
    return [base for base in kind.__mro__[1:] if issubclass(base, Method)]


def _yamls(kind: type) -> list[Path]:
    """The presets that configure a method."""
    dotted = f"{kind.__module__}.{kind.__qualname__}"
    paths = sorted((CONFIGS / "method").glob("*.yaml"))
    return [path for path in paths if yaml.safe_load(path.read_text()).get("_target_") == dotted]


def _presets(kind: type) -> str:
    return ", ".join(f"`{path.stem}`" for path in _yamls(kind)) or "–"


def _first(kind: type) -> str:
    """The first sentence of its card."""
    paragraph = " ".join(_doc(kind).split("\n\n")[0].split())
    return cell(re.split(r"(?<=\.) (?=[A-Z])|:$", paragraph)[0])


def _metrics() -> str:
    parts = ["# Tasks and their metrics"]
    for name in mtl_bench.tasks.__all__:
        kind = getattr(mtl_bench.tasks, name)
        parts += [f"## {name}", _doc(kind)]
        if issubclass(kind, mtl_bench.tasks.Task) and not inspect.isabstract(kind):
            task = kind(**({"classes": 2} if "classes" in inspect.signature(kind).parameters else {}))
            rows = [
                (f"`{metric.name}`", "↑" if metric.higher_is_better else "↓", metric.unit) for metric in task.metrics
            ]
            parts += [table(("metric", "better", "unit"), rows, ""), arguments(kind)]
    return "\n\n".join(parts)


def _group(group: str, paths: list[Path]) -> str:
    title = f"`mtl-bench {group}`" if group in HYDRA else f"`{group}=`"
    parts, targets = [f"# {title}"], dict[str, Any]()
    for path in paths:
        command = re.search(r": (mtl-bench .*)", path.read_text())
        parts.append(f"## {path.stem if group not in HYDRA else 'Keys'}\n\n{describe(path)}.")
        parts += [f"```bash\n{command[1]}\n```"] if command else []
        parts.append(keys_table(path, classes_below=True))
        targets |= {dotted: _located(dotted) for dotted in re.findall(r"_target_: (mtl_bench\.\S+)", path.read_text())}
    parts += ["## Classes", "What the keys above configure, with all arguments."] if targets else []
    for dotted, kind in sorted(targets.items()):
        parts += [f"### `{dotted.rpartition('.')[2]}`", f"`{dotted}`", _doc(kind), arguments(kind)]
    return "\n\n".join(parts)


def _located(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


def _doc(kind: Any) -> str:
    return plain(inspect.getdoc(kind) or "")
