"""Progress of a run: bars on a terminal, plain lines elsewhere, JSON lines for programs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipeline.engine.runner import Listener
from pipeline.terminal import harmless, json_text, show


@contextmanager
def listener_for(as_json: bool) -> Iterator[Listener]:
    """The listener for the kind of output: JSON lines if `as_json`, bars if stderr is a terminal, otherwise plain lines."""
    if as_json:
        yield JsonLines()
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
            yield Bars(progress)
    else:
        yield PlainLines()


class Bars(Listener):
    """One bar per stage, on stderr."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bar: TaskID | None = None

    def stage(self, name: str, total: int, todo: int) -> None:
        """Add a bar; units that are done already count as progress."""
        self.bar = self.progress.add_task(name, total=total, completed=total - todo)

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """Advance by one unit."""
        if self.bar is not None:
            self.progress.advance(self.bar)

    def problem(self, message: str) -> None:
        """Print a line above the bars."""
        self.progress.console.print(harmless(message), style="yellow", markup=False, highlight=False)


class PlainLines(Listener):
    """One line per stage with something to do, and during it at most one per SECONDS_BETWEEN; on stderr."""

    SECONDS_BETWEEN = 10.0

    def __init__(self) -> None:
        self.done = self.todo = 0
        self.last = time.monotonic()

    def stage(self, name: str, total: int, todo: int) -> None:
        """Print how many units are to do."""
        self.done, self.todo, self.last = 0, todo, time.monotonic()
        if todo:
            show(f"{name}: {todo} of {total} units to do", err=True)

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """Print how many units are done, unless the last line is too recent."""
        self.done += 1
        if time.monotonic() - self.last >= self.SECONDS_BETWEEN:
            self.last = time.monotonic()
            show(f"{name}: {self.done} of {self.todo}", err=True)

    def problem(self, message: str) -> None:
        """Print the message."""
        show(message, err=True)


class JsonLines(Listener):
    """One JSON object per event and line, on stdout."""

    def stage(self, name: str, total: int, todo: int) -> None:
        """{"event": "stage", …}"""
        show(json_text({"event": "stage", "stage": name, "units": total, "todo": todo}))

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """{"event": "unit", …}"""
        event = {"event": "unit", "stage": name, "part": part, "rows": rows, "seconds": round(seconds, 3)}
        show(json_text(event))

    def problem(self, message: str) -> None:
        """{"event": "problem", …}"""
        show(json_text({"event": "problem", "message": message}))
