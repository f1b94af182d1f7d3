"""Colour and texture say nothing about what a surface belongs to."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from mtl_bench.data.rooms.furniture import LABEL
from mtl_bench.data.rooms.materials import FAMILIAR, PATTERNS, UNSEEN, albedo, draw_materials, stack_materials
from mtl_bench.data.rooms.render_rooms import Room, draw_room
from mtl_bench.data.rooms.scene import FACES
from tests.data.rooms_by_hand import CPU, look

ROOMS, HEIGHT, WIDTH = 200, 16, 20


@pytest.fixture(scope="module")
def rooms() -> list[Room]:
    return [draw_room(5, "train", index, HEIGHT, WIDTH) for index in range(ROOMS)]


def kind_of_skins(room: Room) -> np.ndarray:
    """0: walls, 1: floor, 2: ceiling, 3: furniture and what hangs."""
    return np.array([0, 0, 0, 0, 1, 2, *[3] * (room.scene.skins - len(FACES))])


def test_patterns_are_as_frequent_on_walls_floors_ceilings_and_furniture(rooms: list[Room]) -> None:
    kinds = np.concatenate([kind_of_skins(room) for room in rooms])
    patterns = np.concatenate([room.materials[:, 6] for room in rooms]).astype(int)
    table = np.zeros((4, len(FAMILIAR)))
    np.add.at(table, (kinds, patterns), 1)
    assert table.min() > 5
    assert chi2_contingency(table).pvalue > 1e-3


def test_colours_stay_as_different_when_the_skins_of_a_room_are_shuffled(rooms: list[Room]) -> None:
    """Permutation test: rooms have palettes, so skins are exchangeable within their room only."""
    kinds = np.concatenate([kind_of_skins(room) for room in rooms])
    colours = [room.materials[:, :6].reshape(-1, 2, 3).mean(axis=1) for room in rooms]
    weights = np.stack([(kinds == kind) / (kinds == kind).sum() for kind in range(4)])

    def spread(parts: list[np.ndarray]) -> float:
        return float((weights @ np.concatenate(parts)).var(axis=0).sum())

    draw = np.random.RandomState(0)
    shuffled = [spread([draw.permutation(part) for part in colours]) for _ in range(200)]
    assert np.mean([one >= spread(colours) for one in shuffled]) > 0.01


def test_rendered_walls_floors_and_furniture_have_one_mean_colour(rooms: list[Room]) -> None:
    """Colour of surfaces before light, per class and room; differences within rooms, in standard errors."""
    seen = look([room.scene for room in rooms], HEIGHT, WIDTH)
    skins = stack_materials([room.materials for room in rooms], CPU)
    skin = seen.of_owner(seen.solids.skin)
    colour = albedo(skins, skin, seen.hits.surface, torch.full_like(seen.hits.depth, 0.05))
    label = seen.of_owner(seen.solids.label)
    groups = {"wall": label == LABEL["wall"], "floor": label == LABEL["floor"]}
    groups["rest"] = (label >= 0) & (skin >= len(FACES))
    means = {name: (colour * here[..., None]).sum(1) / here.sum(1, keepdim=True) for name, here in groups.items()}
    for one, other in (("wall", "floor"), ("wall", "rest"), ("floor", "rest")):
        gap = (means[one] - means[other])[(groups[one].any(1) & groups[other].any(1))].double()
        assert len(gap) > ROOMS / 2
        assert (gap.mean(0) / (gap.std(0) / len(gap) ** 0.5)).abs().max() < 3.5


@pytest.mark.parametrize(
    ("split", "names"), [("train", FAMILIAR), ("val", FAMILIAR), ("test", FAMILIAR), ("test_shift", UNSEEN)]
)
def test_a_split_has_its_patterns_and_no_others(split: str, names: tuple[str, ...]) -> None:
    found = np.concatenate([draw_room(0, split, index, 16, 16).materials[:, 6] for index in range(30)])
    assert {PATTERNS[int(index)] for index in found} == set(names)


@pytest.mark.parametrize("name", PATTERNS[1:])
def test_a_pattern_varies_and_fades_to_its_mean_when_finer_than_a_pixel(name: str) -> None:
    table = draw_materials(np.random.RandomState(0), 1, shifted=False)
    table[0, :9] = [1, 0, 0, 0, 0, 1, PATTERNS.index(name), 0.5, 1]
    materials, skin = stack_materials([table], CPU), torch.zeros(1, 4096, dtype=torch.long)
    place = 4 * torch.rand(1, 4096, 2, generator=torch.Generator().manual_seed(0))
    near, far = (albedo(materials, skin, place, torch.full((1, 4096), footprint)) for footprint in (0.0, 0.5))
    assert near[..., 0].min() < 0.05
    assert near[..., 0].max() > 0.95
    torch.testing.assert_close(near.sum(-1), torch.ones(1, 4096))  # between red and blue
    torch.testing.assert_close(far, torch.tensor([0.5, 0, 0.5]).expand_as(far))
