"""The cost of runs, the copies that they run over, and turns: each is tested by what can be known without a clock."""

import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import SUBJECTS, describe
from benchmarks.runs import copy_records, cost_of
from benchmarks.turns import peak_bytes, peer, seconds_in_turn
from pipeline.inputs.formats import read_records
from pipeline.inputs.record import Record
from pipeline.inputs.sources import resolve_inputs
from tests.pipeline.inputs.warc_files import gzipped, warc_record


def pages_in(path: Path) -> list[Record]:
    return list(read_records(resolve_inputs([str(path)])[0], 10_000))


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A warcinfo record and five pages."""
    path = tmp_path / "crawl.warc.gz"
    records = [warc_record(9, kind="warcinfo"), *(warc_record(number, url=f"http://h/{number}") for number in range(5))]
    path.write_bytes(b"".join(gzipped(records)))
    return path


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [(0, None, "01234"), (0, 2, "01"), (3, None, "34"), (1, 2, "12"), (4, 9, "4"), (9, 1, "")],
)
def test_the_pages_asked_for_are_copied_and_counted(
    crawl: Path, tmp_path: Path, first: int, count: int | None, expected: str
) -> None:
    target = tmp_path / "copy.warc.gz"
    assert copy_records(crawl, target, first, count) == len(expected)
    if expected:
        assert [record.url[-1] for record in pages_in(target)] == list(expected)


def test_a_marked_copy_has_the_same_pages_under_other_hosts_and_ids(crawl: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.warc.gz"
    copy_records(crawl, target, mark="copy3")
    pages = [record for record in pages_in(crawl) if record.kind == "response"]
    copies = pages_in(target)
    assert [copy.url for copy in copies] == [page.url.replace("http://", "http://copy3.") for page in pages]
    assert [copy.body for copy in copies] == [page.body for page in pages]
    assert not {copy.record_id for copy in copies} & {page.record_id for page in pages}


def test_a_run_is_charged_with_the_computing_and_memory_of_its_children() -> None:
    child = "import time; kept = bytearray(64 << 20); end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = cost_of([sys.executable, "-c", parent])
    assert cost.processor_seconds > 0.05
    assert cost.largest_bytes > 64 << 20 > cost.driver_bytes > 0


def test_a_failing_run_ends_the_benchmark_with_what_it_said() -> None:
    with pytest.raises(SystemExit, match=r"(?s)status 3.*no such corpus"):
        cost_of([sys.executable, "-c", "import sys; sys.stderr.write('no such corpus'); sys.exit(3)"])


def test_programs_take_turns_in_every_round() -> None:
    calls: list[str] = []
    seconds = seconds_in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == ["a", "b"] * 3
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}


def test_memory_is_what_a_program_adds_in_a_process_of_its_own() -> None:
    added = peak_bytes(lambda: bytearray(b"x") * (64 << 20))
    assert 60 << 20 < added < 80 << 20


def test_a_peer_that_is_not_installed_is_none() -> None:
    assert peer("no_such_package", list) is None
    assert peer("numpy", list) is list


@pytest.mark.parametrize("module", sorted({program[0] for programs in SUBJECTS.values() for program in programs}))
def test_every_subject_names_a_program(module: str) -> None:
    path = Path(*module.split("."))
    source = (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    assert f"python -m {module}" in source
    assert 'if __name__ == "__main__":' in source


def test_figures_come_with_date_machine_and_versions() -> None:
    told = describe()
    assert "cores of" in told
    assert "numba " in told
    assert "datatrove" in told
