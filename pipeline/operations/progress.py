"""What a run shows while it works: bars on a terminal, plain lines elsewhere, JSON where a program reads."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
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


@contextmanager
def listener_for(as_json: bool) -> Iterator[Listener]:
    """The listener that suits where the output goes."""
    if as_json:
        yield JsonLines()
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
            yield Bars(progress)
    else:
        yield PlainLines()


class Bars(Listener):
    """A bar a stage that has something to do."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bar: TaskID | None = None

    def stage(self, name: str, total: int, todo: int) -> None:
        """A new bar; what is done already is its beginning."""
        self.bar = self.progress.add_task(name, total=total, completed=total - todo)

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """One further."""
        if self.bar is not None:
            self.progress.advance(self.bar)

    def problem(self, message: str) -> None:
        """A line above the bars."""
        self.progress.console.print(message, style="yellow", highlight=False)


class PlainLines(Listener):
    """A line a stage with something to do, and at most one a few seconds within it."""

    SECONDS_BETWEEN = 10.0

    def __init__(self) -> None:
        self.done = self.todo = 0
        self.last = time.monotonic()

    def stage(self, name: str, total: int, todo: int) -> None:
        """Say what is to be done."""
        self.done, self.todo, self.last = 0, todo, time.monotonic()
        if todo:
            click.echo(f"{name}: {todo} of {total} units to do", err=True)

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """Say how far it is, now and then."""
        self.done += 1
        if time.monotonic() - self.last >= self.SECONDS_BETWEEN:
            self.last = time.monotonic()
            click.echo(f"{name}: {self.done} of {self.todo}", err=True)

    def problem(self, message: str) -> None:
        """Say it."""
        click.echo(message, err=True)


class JsonLines(Listener):
    """An event a line."""

    def stage(self, name: str, total: int, todo: int) -> None:
        """{"event": "stage", …}"""
        click.echo(json.dumps({"event": "stage", "stage": name, "units": total, "todo": todo}))

    def unit(self, name: str, part: str, rows: int, seconds: float) -> None:
        """{"event": "unit", …}"""
        event = {"event": "unit", "stage": name, "part": part, "rows": rows, "seconds": round(seconds, 3)}
        click.echo(json.dumps(event))

    def problem(self, message: str) -> None:
        """{"event": "problem", …}"""
        click.echo(json.dumps({"event": "problem", "message": message}, ensure_ascii=False))
