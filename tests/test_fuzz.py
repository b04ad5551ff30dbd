"""The short form of the fuzzer; `python -m tests.fuzz` has the long one."""

from pathlib import Path

import pytest

from tests.fuzz.check import check_input, read_and_extract
from tests.fuzz.damage import ADVERSARIES

SIZE = 20_000


@pytest.mark.parametrize("seed", range(0, 150, 30))
def test_damaged_inputs_lose_what_is_damaged_and_nothing_else(tmp_path: Path, seed: int) -> None:
    found = [check_input(tmp_path, number, SIZE) for number in range(seed, seed + 30)]
    assert [(each.path.name, each.complaints) for each in found if each.complaints] == []
    assert sum(each.documents for each in found) > 30


def test_what_an_adversary_writes_ends_no_input(tmp_path: Path) -> None:
    complaints = []
    for number, (suffix, make) in enumerate(ADVERSARIES):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(make(SIZE))
        complaints += [(path.name, complaint) for complaint in read_and_extract(path, []).complaints]
    assert complaints == []
