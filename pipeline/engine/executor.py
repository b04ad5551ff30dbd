"""The interface of an executor. Only the executor knows where a unit runs.

An executor takes tasks in order, runs `perform(task, mark)` somewhere, and yields one `Outcome` per task as tasks end. A worker
reports the record it is at through `mark`. If it dies or makes no progress, the outcome has that position, so that the runner
can continue without the page that killed it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pipeline.engine.task import Perform, Result, Task
from pipeline.errors import Kind


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a result, with an error, or with the death of its worker at a record.

    error: one line. kind: the error's `errors.Kind`. details: the traceback, for the log. died: "timeout" if the worker made no
    progress, "killed" if it was killed from outside, "crash" if it ended by itself. position: the record that the worker had
    marked, -1 for none. seconds: wall-clock time of the task.
    """

    task: Task[Any]
    result: Result | None = None
    error: str | None = None
    kind: Kind = "fault"
    details: str = ""
    died: Literal["crash", "killed", "timeout"] | None = None
    position: int = -1
    seconds: float = 0.0


class Executor(Protocol):
    """Runs tasks. An implementation may run them anywhere and finish them in any order."""

    name: str
    workers: int

    def run(self, perform: Perform, tasks: Iterable[Task[Any]], patience: float) -> Iterator[Outcome]:
        """Yield one outcome per task, as tasks end. A worker that spends over `patience` seconds in one record is killed."""
        ...

    def close(self) -> None:
        """Release all resources; the executor must not be used afterwards."""
        ...
