"""What runs are called."""

from typing import Any, ClassVar

from mtl_bench.records.identity import canonical_hash
from mtl_bench.training.plan import Names, Plan
from mtl_bench.training.setting import Setting


class Renamed:
    """As a class of ours whose file was moved."""

    known_as: ClassVar[str] = "mtl_bench.gone.Model"


def test_runs_of_a_renamed_class_have_names() -> None:
    """Theirs: the old path stands in the identity, and nothing looks for a class there."""
    tasks: dict[str, Any] = {"left": {}, "right": {}}
    setting = Setting({}, "0" * 64, tasks, {"_target_": f"{__name__}.Renamed"}, {}, {}, {})
    parts: Any = None
    plan = Plan(Names("mine", "ls"), setting, tasks, 0, parts, parts, parts, parts)
    assert plan.identity["model"]["_target_"] == "mtl_bench.gone.Model"
    assert plan.hash == canonical_hash(plan.identity)
    assert setting.baselines(["left"]) == {"left": canonical_hash(setting.identity(["left"]))}
