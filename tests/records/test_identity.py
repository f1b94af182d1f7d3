import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from mtl_bench.errors import BenchError
from mtl_bench.records.identity import canonical, canonical_hash, identity_hash

NETWORK = """
class Network:
    revision = 2
    def __init__(self, depth: int = 3, rate: float = 1, bias: bool = True, extra=None, limit: float | None = None,
                 sizes=(1, 2), top=float("inf"), inner=None):
        pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Writes a module of the user's, outside the package, and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    written = 0

    def write(source: str) -> str:
        nonlocal written
        written += 1
        name = f"mine_{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]}_{written}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


@pytest.fixture
def network(module: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    """The specification of a Network with the given arguments."""
    target = f"{module(NETWORK)}.Network"
    return lambda **arguments: {"_target_": target, **arguments}


def from_yaml(text: str) -> Any:
    return OmegaConf.to_container(OmegaConf.create(text))


def arguments(spec: Any) -> set[str]:
    return {key for key in canonical(spec) if not key.startswith("_")}


def test_committed_value() -> None:
    text = '{"batch":32,"name":"Gr\\u00f6\\u00dfe","rates":[0.1,1,null],"shuffle":true}'
    spec = {"shuffle": True, "name": "Größe", "rates": (0.1, 1.0, None), "batch": 32}
    assert identity_hash(spec) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a: 1", "a: 1.0"),
        ("a: 1000", "a: 1e3"),
        ("a: 0.001", "a: 1e-3"),
        ("a: on", "a: true"),
        ("a: off", "a: False"),
        ("a: ", "a: null"),
        ("a: [x, {b: 2}]", "a: ['x', {b: 2.0}]"),
        ("{a: 1, b: {c: 2, d: 3}}", "{b: {d: 3, c: 2}, a: 1}"),
    ],
)
def test_two_ways_to_write_one_thing(first: str, second: str) -> None:
    assert identity_hash(from_yaml(first)) == identity_hash(from_yaml(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a: 1", "a: true"),
        ("a: 0", "a: false"),
        ("a: 1", "a: '1'"),
        ("a: 1", "a: 2"),
        ("a: 1", "a: 1.5"),
        ("a: null", "{}"),
        ("a: [1, 2]", "a: [2, 1]"),
        ("a: []", "a: {}"),
    ],
)
def test_two_things(first: str, second: str) -> None:
    assert identity_hash(from_yaml(first)) != identity_hash(from_yaml(second))


def test_a_tuple_is_a_list() -> None:
    assert identity_hash({"sizes": (1, (2, 3))}) == identity_hash({"sizes": [1, [2, 3]]})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "is nan"),
        (math.inf, "is inf"),
        (-math.inf, "is -inf"),
        ("???", r"is still \?\?\?"),
        ({7: "x"}, "has the key 7, which is not text"),
        ({None: "x"}, "has the key None"),
        ({"_target_": "fractions.Fraction", 7: "x"}, "has the key 7"),
        (Path("x"), "is a .*Path"),
    ],
)
def test_what_cannot_identify_a_run_is_refused_by_its_place(value: Any, message: str) -> None:
    with pytest.raises(BenchError, match=rf"^model\.layers\.1 {message}.*; .*\.$"):
        canonical({"model": {"layers": [0, value]}})
    with pytest.raises(BenchError, match=f"^The configuration {message}"):
        canonical(value)


def test_arguments_equal_to_the_default_are_left_out(network: Callable[..., dict[str, Any]]) -> None:
    repeated = network(depth=3.0, rate=1, bias=True, extra=None, limit=None, sizes=[1, 2])
    assert canonical(repeated) == canonical(network())
    assert arguments(network(depth=4, rate=1.0, bias=1, extra=False, sizes=[2, 1])) == {
        "depth",
        "bias",  # 1 is not true
        "extra",
        "sizes",
    }


def test_a_default_that_no_configuration_can_spell_is_never_met(network: Callable[..., dict[str, Any]]) -> None:
    assert arguments(network(top=1)) == {"top"}


def test_a_new_option_renames_nothing(module: Callable[[str], str]) -> None:
    before = canonical({"_target_": f"{module('def build(a, b=1): pass')}.build", "a": 5})
    after = canonical({"_target_": f"{module('def build(a, b=1, c=2): pass')}.build", "a": 5, "c": 2})
    own = {"_target_", "_source_"}
    assert {k: before[k] for k in before.keys() - own} == {k: after[k] for k in after.keys() - own} == {"a": 5}


@pytest.mark.parametrize("annotation", ["float", "float | None", "'float'", "int", "'NotDefinedAnywhere'"])
@pytest.mark.parametrize(("value", "expected"), [(2, 2), (2.0, 2), (2.5, 2.5), (True, True)])
def test_a_number_is_written_alike_under_every_annotation(
    module: Callable[[str], str], annotation: str, value: Any, expected: Any
) -> None:
    name = module(f"def build(x: {annotation}): pass")
    found = canonical({"_target_": f"{name}.build", "x": value})["x"]
    assert found == expected
    assert type(found) is type(expected)


def test_nested_objects_are_reduced_too(network: Callable[..., dict[str, Any]]) -> None:
    spec = {"parts": [network(inner=network(depth=3, rate=2))]}
    assert canonical(spec)["parts"][0]["inner"] == canonical(network(rate=2))


def test_how_hydra_builds_it_does_not_matter(network: Callable[..., dict[str, Any]]) -> None:
    options = {"_partial_": True, "_recursive_": False, "_convert_": "all"}
    assert canonical(network(rate=2) | options) == canonical(network(rate=2))


def test_revision_is_part_of_the_identity(network: Callable[..., dict[str, Any]]) -> None:
    assert canonical(network())["_revision_"] == 2
    assert "_revision_" not in canonical({"_target_": "fractions.Fraction"})


def test_a_renamed_class_keeps_its_name(module: Callable[[str], str]) -> None:
    """Its runs are found again; a class derived from it is another one."""
    name = module("class Renamed:\n    known_as = 'old.Name'\nclass Derived(Renamed):\n    pass")
    assert canonical({"_target_": f"{name}.Renamed"})["_target_"] == "old.Name"
    assert canonical({"_target_": f"{name}.Derived"})["_target_"] == f"{name}.Derived"
    spec = {"method": {"_target_": f"{name}.Renamed"}}
    assert canonical_hash(canonical(spec)) == identity_hash(spec)


def test_the_source_of_a_users_class_is_part_of_the_identity(module: Callable[[str], str], tmp_path: Path) -> None:
    name = module(NETWORK)
    found = canonical({"_target_": f"{name}.Network", "source": "an argument of this name is kept"})
    assert found["_source_"] == hashlib.sha256((tmp_path / f"{name}.py").read_bytes()).hexdigest()
    assert found["source"] == "an argument of this name is kept"


@pytest.mark.parametrize(
    "target", ["mtl_bench.errors.BenchError", "fractions.Fraction", "builtins.dict", "math.sqrt", "omegaconf.OmegaConf"]
)
def test_the_source_of_what_is_ours_or_installed_is_not(target: str) -> None:
    assert canonical({"_target_": target}) == {"_target_": target}


def test_a_name_imported_from_elsewhere_belongs_to_its_origin(module: Callable[[str], str]) -> None:
    target = f"{module('from fractions import Fraction')}.Fraction"
    assert canonical({"_target_": target}) == {"_target_": target}


@pytest.mark.parametrize("target", ["no_such_module.Thing", "fractions.Nothing", "", 5, "xml.nothing.Thing"])
def test_a_target_that_cannot_be_imported(target: Any) -> None:
    with pytest.raises(BenchError, match=rf"^model\._target_={target} cannot be imported: .*; check the spelling"):
        canonical({"model": {"_target_": target}})


def test_a_users_module_that_fails_says_why(module: Callable[[str], str]) -> None:
    with pytest.raises(BenchError, match="cannot be imported: No module named 'not_installed'"):
        canonical({"_target_": f"{module('import not_installed')}.Thing"})
