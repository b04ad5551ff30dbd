"""Progress of a run: bars on a terminal, plain lines elsewhere, JSON lines for programs."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from pipeline.engine.runner import Listener
from pipeline.engine.worker_progress import Working
from pipeline.terminal import harmless, json_text, show


@contextmanager
def listener_for(as_json: bool) -> Iterator[Listener]:
    """The listener for the kind of output: JSON lines if `as_json`, bars if stderr is a terminal, otherwise plain lines."""
    if as_json:
        yield JsonLines()
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        detail = TextColumn("{task.fields[detail]}", markup=False)
        with Progress(*columns, detail, console=Console(stderr=True)) as progress:
            yield Bars(progress)
    else:
        yield PlainLines()


class Pace:
    """How far a stage is, how fast, and how long it will take: units, records and bytes since it began."""

    def __init__(self, name: str, todo: int) -> None:
        self.name, self.todo, self.done = name, todo, 0
        self.began = time.monotonic()
        self.working = Working(0, 0, 0, False)

    def seconds_left(self, now: float) -> float | None:
        """By the share of the bytes that are read, or of the units that are done; None if nothing is yet."""
        share = self.done / self.todo if self.todo else 0.0
        if self.working.total_bytes:
            share = self.working.n_bytes / self.working.total_bytes
        return (now - self.began) * (1 - min(share, 1.0)) / share if share > 0 else None

    def text(self, now: float) -> str:
        """Such as `12,345 records, 1.2 of 40.0 GB, 350 records/s, about 3 h left`; what is unknown is left out."""
        if self.working.is_compiling and not self.working.records:
            return "compiling, once, about a minute"
        records, n_bytes, total, _ = self.working
        parts = []
        if records:
            parts.append(f"{records:,} records")
        if total:
            parts.append(f"{n_bytes / 1e6:,.1f} of {total / 1e6:,.1f} MB")
        elif n_bytes:
            parts.append(f"{n_bytes / 1e6:,.1f} MB")
        if records and now > self.began:
            parts.append(f"{records / (now - self.began):,.0f} records/s")
        left = self.seconds_left(now)
        if left:
            parts.append(f"about {_duration(left)} left")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever gives a number that one can grasp."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Bars(Listener):
    """One bar per stage, on stderr."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bar: TaskID | None = None
        self.pace = Pace("", 0)

    def stage(self, name: str, total: int, todo: int) -> None:
        """Add a bar; units that are done already count as progress."""
        self.bar = self.progress.add_task(name, total=total, completed=total - todo, detail="")
        self.pace = Pace(name, todo)

    def working(self, working: Working) -> None:
        """Show records, bytes, rate and time left beside the bar."""
        self.pace.working = working
        if self.bar is not None:
            self.progress.update(self.bar, detail=self.pace.text(time.monotonic()))

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """Advance by one unit."""
        self.pace.done += 1
        if self.bar is not None:
            self.progress.advance(self.bar)

    def note(self, message: str) -> None:
        """Print a line above the bars."""
        self.progress.console.print(harmless(message), markup=False, highlight=False)

    def problem(self, message: str) -> None:
        """Print a line above the bars."""
        self.progress.console.print(harmless(message), style="yellow", markup=False, highlight=False)


class PlainLines(Listener):
    """One line per stage with something to do, and during it one every SECONDS_BETWEEN; on stderr."""

    SECONDS_BETWEEN = 30.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.pace = Pace("", 0)
        self.last = clock()
        self.said_compiling = False

    def stage(self, name: str, total: int, todo: int) -> None:
        """Print how many units are to do."""
        self.pace = Pace(name, todo)
        self.pace.began = self.last = self.clock()
        if todo:
            show(f"{name}: {todo} of {total} units to do", err=True)

    def working(self, working: Working) -> None:
        """Print how far the stage is, unless the last line is too recent; that code is compiled, once and at once."""
        self.pace.working = working
        if working.is_compiling and not self.said_compiling:
            self.said_compiling = True
            show(f"{self.pace.name}: {self.pace.text(self.clock())}", err=True)
        self._print_now_and_then()

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """Print how many units are done, unless the last line is too recent."""
        self.pace.done += 1
        self._print_now_and_then()

    def _print_now_and_then(self) -> None:
        now = self.clock()
        if now - self.last >= self.SECONDS_BETWEEN:
            self.last = now
            detail = self.pace.text(now)
            show(f"{self.pace.name}: {self.pace.done} of {self.pace.todo} units{', ' if detail else ''}{detail}", err=True)

    def note(self, message: str) -> None:
        """Print the message."""
        show(message, err=True)

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

    def note(self, message: str) -> None:
        """{"event": "note", …}"""
        show(json_text({"event": "note", "message": message}))

    def problem(self, message: str) -> None:
        """{"event": "problem", …}"""
        show(json_text({"event": "problem", "message": message}))
