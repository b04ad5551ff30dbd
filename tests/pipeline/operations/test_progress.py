"""What is told while a run works."""

import pytest

from pipeline.engine.worker_progress import Working
from pipeline.operations.progress import PlainLines


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_there_is_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = PlainLines(clock)
    lines.stage("extract", 3, 2)
    for second in range(1, 61):
        clock.now = 1000.0 + second
        lines.working(Working(10 * second, second * 1_000_000, 120_000_000, False))
    lines.unit("extract", "part-00000", 5, 1.0)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "extract: 2 of 3 units to do",
        "extract: 0 of 2 units, 300 records, 30.0 of 120.0 MB, 10 records/s, about 90 s left",
        "extract: 0 of 2 units, 600 records, 60.0 of 120.0 MB, 10 records/s, about 60 s left",
    ]


def test_compiling_is_told_once_and_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines(Clock())
    lines.stage("extract", 1, 1)
    for _ in range(3):
        lines.working(Working(0, 0, 0, True))
    assert capsys.readouterr().err.splitlines()[1:] == ["extract: compiling, once, about a minute"]


def test_units_give_the_time_left_where_bytes_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = PlainLines(clock)
    lines.stage("measure", 4, 4)
    clock.now += 31
    lines.unit("measure", "part-00000", 5, 31.0)
    assert capsys.readouterr().err.splitlines()[1:] == ["measure: 1 of 4 units, about 93 s left"]
