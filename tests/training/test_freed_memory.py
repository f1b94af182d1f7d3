"""A block that was freed is there when the next one is asked for: pages of the system are counted."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, statistics, torch
from mtl_bench.training.environment import configure
if {configured}:
    configure(torch.device("cpu"), 1, "fp32", deterministic=False)
asked = []
for _ in range(20):  # the first few: what is aligned anew does not always fit where the last block was
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(50_000_000)  # 200 MB, freed at once
    asked.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(round(statistics.median(asked)))
"""


def pages(configured: bool) -> int:
    """That most of equal blocks asked the system for: their median."""
    code = CODE.format(configured=configured)
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told to keep freed memory")
def test_blocks_of_hundreds_of_megabytes_are_kept() -> None:
    assert pages(configured=True) < 100
    assert pages(configured=False) > 100  # huge pages may be few
