"""Matrices and group results that authors released, as results/published holds them."""

import re
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

FOLDER = Path(__file__).parents[2] / "results" / "published"
TASKONOMY = "sdnkt"  # segmentation, depth, normals, keypoints, edges
NAMES = {"ss_l": "s", "depth_l": "d", "norm_l": "n", "key_l": "k", "edge2d_l": "t"}
CELEBA = ("5oc", "Black", "Blond", "Brown", "Goatee", "Mustache", "NoBeard", "Rosy", "Hat")
SHORT = dict(
    zip(
        ("5_o_Clock_Shadow", "Black_Hair", "Blond_Hair", "Brown_Hair", "Goatee", "Mustache", "No_Beard", "Rosy_Cheeks",
         "Wearing_Hat"),
        CELEBA,
        strict=True,
    )
)  # fmt: skip
Results = dict[tuple[int, ...], list[float]]


def affinity(method: str, dataset: str) -> Float[np.ndarray, "K K"]:
    """A released matrix, stored [recipient][source], as [source, target]."""
    rows = _tag(dataset).query("source == 'TAG released affinities' and method == @method")
    tasks = _tasks(dataset)
    found = np.full((len(tasks), len(tasks)), np.nan)
    for metric, value in zip(rows["metric"], rows["value"], strict=True):
        target, source = (_short(name) for name in re.findall(r"\[(.*)<-(.*)\]", metric)[0])
        found[tasks.index(source), tasks.index(target)] = value
    assert np.isfinite(found).all()
    return found


def pairwise_losses(dataset: str) -> tuple[Float[np.ndarray, "K"], Float[np.ndarray, "K K"]]:
    """Losses (CelebA: errors in %) of single-task networks, and [task, partner] of pairs."""
    rows = _tag(dataset).query("source == 'TAG released pairwise results'")
    tasks = _tasks(dataset)
    single, pairs = np.full(len(tasks), np.nan), np.full((len(tasks), len(tasks)), np.nan)
    for method, metric, value in zip(rows["method"], rows["metric"], rows["value"], strict=True):
        task = _short(re.findall(r"\[(.*)\]", metric)[0])
        loss = 100 - value if "accuracy" in metric else value
        if method == "single-task":
            single[tasks.index(task)] = loss
        else:
            members = [_short(name) for name in method.removeprefix("pair ").split("+")]
            (partner,) = set(members) - {task}
            pairs[tasks.index(task), tasks.index(partner)] = loss
    return single, pairs


def mtgnet(kind: str, singles: bool = True) -> Results:
    """Gains of groups: `trained group`, `HOA prediction for group`, `TAG prediction for group`; singles have gain 0."""
    table = pd.read_csv(FOLDER / "task_grouping_followups.csv")
    found: dict[tuple[int, ...], dict[int, float]] = defaultdict(dict)
    for method, metric, value in zip(table["method"], table["metric"], table["value"], strict=True):
        if match := re.fullmatch(rf"{kind} ([sdnkt]+)", method):
            group = tuple(sorted(TASKONOMY.index(letter) for letter in match[1]))
            found[group][TASKONOMY.index(metric[metric.index("[") + 1])] = value
    results = {group: [row[task] for task in group] for group, row in found.items() if len(group) > 1}
    return results | ({(task,): [0.0] for task in range(5)} if singles else {})


def standley(setting: str) -> Results:
    """Losses of all 31 groups, full-cost networks: `results`, `results_test`, `results_large`, …"""
    table = pd.read_csv(FOLDER / "standley_taskgrouping.csv")
    table = table[table["seen_in"].str.contains(rf"/{setting}\.txt")]
    found: dict[tuple[int, ...], dict[int, float]] = defaultdict(dict)
    for method, metric, value in zip(table["method"], table["metric"], table["value"], strict=True):
        if match := re.match(r"network ([sdnkt]+) ", method):
            group = tuple(sorted(TASKONOMY.index(letter) for letter in match[1]))
            found[group][TASKONOMY.index(metric[5])] = value
    assert set(found) == {group for size in range(1, 6) for group in combinations(range(5), size)}
    return {group: [row[task] for task in group] for group, row in found.items()}


def _tag(dataset: str) -> pd.DataFrame:
    table = pd.read_csv(FOLDER / "tag.csv")
    return table[table["dataset"].fillna("").str.startswith(dataset)]


def _tasks(dataset: str) -> tuple[str, ...]:
    return tuple(TASKONOMY) if dataset == "Taskonomy" else CELEBA


def _short(name: str) -> str:
    return NAMES.get(name) or SHORT.get(name) or name
