"""Freed memory stays with the process, measured by the page faults of allocating the same array repeatedly."""

import subprocess
import sys

import pytest

from trainer.machine.malloc import keep_freed_memory

# 64 MiB are 16,384 pages of 4 KiB.
PROGRAM = """
import resource, sys
import numpy as np
from trainer.machine.malloc import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
np.empty(2**23).fill(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    np.empty(2**23).fill(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    run = subprocess.run([sys.executable, "-c", PROGRAM, way], check=True, capture_output=True, text=True)
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told to keep memory")
def test_an_array_taken_again_costs_no_page_faults() -> None:
    # If the system uses huge pages by default, both have few faults.
    assert faults("kept") < max(200, faults("given_back") // 4)


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
