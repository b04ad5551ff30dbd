"""The local executor with workers that die, hang and raise."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from pipeline.engine.executor import Outcome
from pipeline.engine.local import LocalExecutor
from pipeline.engine.task import Mark, Result, Task

PATIENCE = 1.0


def perform(task: Task[tuple[str, int]], mark: Mark) -> Result:
    """What these tests' tasks do; at module level, so that a spawned process can import it."""
    what, number = task.settings
    mark(number)
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "exit":
        os._exit(3)
    if what == "die between records":
        mark(-1)
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        signal.pause()
    if what == "raise":
        raise ValueError(f"number {number}\nis wrong")
    if what == "disk":
        raise OSError(28, "No space left on device", "somewhere")
    if what == "slow but alive":
        end = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < end:
            mark(number)
    return Result(number * 2, ())


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(2)
    yield executor
    executor.close()


def outcomes(executor: LocalExecutor, tasks: list[tuple[str, int]]) -> dict[int, Outcome]:
    units = [Task("", what, str(number), (), (what, number)) for what, number in tasks]
    return {outcome.task.settings[1]: outcome for outcome in executor.run(perform, units, PATIENCE)}


def rows_of(outcome: Outcome) -> int:
    assert outcome.result is not None
    return outcome.result.rows


def test_every_task_has_one_outcome(executor: LocalExecutor) -> None:
    found = outcomes(executor, [("work", number) for number in range(20)])
    assert {number: rows_of(outcome) for number, outcome in found.items()} == {number: number * 2 for number in range(20)}


def test_a_dead_worker_costs_its_task_alone_and_names_the_record(executor: LocalExecutor) -> None:
    found = outcomes(executor, [("work", 1), ("die", 7), ("work", 2), ("die between records", 3), ("work", 4)])
    assert (found[7].died, found[7].position, found[7].result) == ("killed", 7, None)
    assert (found[3].died, found[3].position) == ("killed", -1)
    assert [rows_of(found[number]) for number in (1, 2, 4)] == [2, 4, 8]


@pytest.mark.parametrize("how", ["crash", "exit"])
def test_a_worker_that_ends_itself_was_not_killed(executor: LocalExecutor, how: str) -> None:
    assert outcomes(executor, [(how, 7)])[7].died == "crash"


def test_a_worker_that_stands_still_is_killed(executor: LocalExecutor) -> None:
    found = outcomes(executor, [("hang", 5), ("work", 6)])
    assert (found[5].died, found[5].position) == ("timeout", 5)
    assert rows_of(found[6]) == 12


def test_a_worker_that_makes_progress_is_left_alone(executor: LocalExecutor) -> None:
    assert rows_of(outcomes(executor, [("slow but alive", 9)])[9]) == 18


def test_an_error_comes_back_as_one_line_with_its_type(executor: LocalExecutor) -> None:
    failed = outcomes(executor, [("raise", 8)])[8]
    assert failed.error == "ValueError: number 8 is wrong"
    assert "in perform" in failed.details
    assert failed.died is None


def test_an_error_of_the_system_names_the_file(executor: LocalExecutor) -> None:
    assert outcomes(executor, [("disk", 8)])[8].error == "No space left on device: somewhere"
