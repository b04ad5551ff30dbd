"""Who does the work: the interface of an executor. Nothing else knows where a unit runs.

An executor takes tasks in order, runs `perform(task, mark)` somewhere, and yields an `Outcome` per task as they end. A worker
says through `mark` which record it is at; when it dies or makes no progress, the outcome carries that position, so that the
runner can go on without the page that killed it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pipeline.engine.task import Perform, Result, Task
from pipeline.errors import Kind


@dataclass(frozen=True)
class Outcome:
    """What became of a task: a result, an error, or the death of its worker at a record.

    `error` is one line, of the `kind` of `errors`; `details` the traceback for the log. `died` tells how the worker was lost,
    with the `position` it had marked (-1: none): "timeout" when it made no progress, "killed" from outside, "crash" by itself.
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
    """Runs tasks. An implementation may run them anywhere, in any order; outcomes come as they end."""

    name: str
    workers: int

    def run(self, perform: Perform, tasks: Iterable[Task[Any]], patience: float) -> Iterator[Outcome]:
        """Yield an outcome per task. A worker that makes no progress for `patience` seconds within a record is killed."""
        ...

    def close(self) -> None:
        """Release what the executor holds; the executor must not be used after that."""
        ...
