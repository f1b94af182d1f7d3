"""The Office experiments on miniatures of the published folders."""

from pathlib import Path

import pytest

from tests.data.office_files import write_office
from tests.experiments.miniature import train_two_steps

HOME, OFFICE31 = ["Art", "Clipart", "Product", "Real World"], ["amazon", "dslr", "webcam"]


@pytest.mark.parametrize(("name", "domains", "classes"), [("office_home", HOME, 65), ("office31", OFFICE31, 31)])
def test_experiment(name: str, domains: list[str], classes: int, tmp_path: Path) -> None:
    write_office(tmp_path / "raw" / name, domains, classes, images=1, below="images" if name == "office31" else "")
    record = train_two_steps(name, tmp_path, "dataset.size=32")
    assert list(record["test"]) == [domain.replace(" ", "_") for domain in domains]
