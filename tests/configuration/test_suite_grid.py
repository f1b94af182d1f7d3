"""The grid of a suite is what a sweep of it would train."""

from pathlib import Path

import pytest

from mtl_bench.configuration.suite_grid import suite_grid, suites_of
from mtl_bench.errors import BenchError


def test_a_suite_of_the_package() -> None:
    found = suite_grid("multimnist")
    assert found.experiments == ("multimnist", "multifashion", "multifashion_mnist")
    assert found.seeds == (0, 1, 2, 3, 4)
    assert "pcgrad" in found.methods
    assert "multimnist" in [grid.name for grid in suites_of("multifashion")]
    assert suites_of("nothing") == []
    assert (found.further, suite_grid("trade_off").further) == ((), ("method.priorities",))


def test_a_file_with_a_range_and_one_value(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("hydra: {sweeper: {params: {experiment: digits, seed: 'range(3)', method: 'ls,uw'}}}")
    found = suite_grid(str(path))
    assert (found.name, found.experiments, found.methods, found.seeds) == ("mine", ("digits",), ("ls", "uw"), (0, 1, 2))


def test_no_suite_and_no_grid_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no suite 'room'; choose among .*rooms"):
        suite_grid("room")
    (tmp_path / "empty.yaml").write_text("seed: 0")
    with pytest.raises(BenchError, match="sweeps over no experiment"):
        suite_grid(str(tmp_path / "empty.yaml"))
