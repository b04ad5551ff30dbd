"""The progress of a run: a line that is updated in a terminal, or a new line every few seconds in a log.

The figures are those of the rows of `metrics.jsonl`, the most important first. A terminal narrower than the line shows it in
several. What is shown never ends a run: a character that the encoding lacks becomes "?", and when nobody can read any more, as
after `| head`, on a full disk or in a terminal that was closed, the run goes on without a word.
"""

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.terminal import harmless
from trainer.record.metrics import RECENT_STEPS, Row, Value

# Seconds of training between two lines of a log: about 8,000 lines per day, and a run never looks dead for long.
PLAIN_LINE_SECONDS = 10
_SEPARATOR = " · "


class LiveLine:
    """The line of a run of `total_steps` steps on `console`, inside a `with` block."""

    def __init__(self, total_steps: int, console: Console) -> None:
        self._total_steps = total_steps
        self._console = console
        # Drawn when a row comes, not by a thread of its own: training uses all cores.
        # A dumb terminal cannot move its cursor back, so it is a log.
        drawn = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, auto_refresh=False) if drawn else None
        self._recent_seconds: deque[float] = deque(maxlen=RECENT_STEPS)
        self._seconds_since_line = float("inf")

    def __enter__(self) -> Self:
        if self._live is not None:
            with _unread(self._console):
                self._live.start()
            if self._console.quiet:
                self._live = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            with _unread(self._console):
                self._live.stop()

    def update(self, row: Row) -> None:
        """Show a row of kind `train`. A log gets a line at the first and last step and every 10 seconds of training."""
        seconds = _number(row.get("seconds")) or 0.0
        self._recent_seconds.append(seconds)
        self._seconds_since_line += seconds
        if self._live is not None:
            lines = "\n".join(_wrapped(self._fields(row), self._console.width))
            with _unread(self._console):
                self._live.update(Text(lines, no_wrap=True, overflow="ellipsis"), refresh=True)
        elif self._seconds_since_line >= PLAIN_LINE_SECONDS or row["step"] == self._total_steps:
            self._seconds_since_line = 0.0
            self.say(_SEPARATOR.join(self._fields(row)))

    def say(self, text: str) -> None:
        """Print `text` above the line, with the control characters that a model may write as escapes that a terminal shows."""
        say(self._console, text)

    def _fields(self, row: Row) -> list[str]:
        step = int(_number(row["step"]) or 0)
        left = (self._total_steps - step) * sum(self._recent_seconds) / len(self._recent_seconds)
        share = _number(row.get("peak_share"))
        fields = [
            f"step {step:,}/{self._total_steps:,}",
            f"{duration(left)} left",
            f"loss {_shown(row.get('loss'), '.4f')}",
            f"{_shown(row.get('bits_per_byte'), '.3f')} bits/byte",
            f"{compact(_number(row.get('tokens_per_second')) or 0.0)} tokens/s",
            f"{compact(_number(row.get('tokens')) or 0)} tokens",
            f"learning rate {_shown(row.get('learning_rate'), '.2e')}",
            f"gradient norm {_shown(row.get('gradient_norm'), '.2f')}",
        ]
        if share is not None:
            fields.append(f"{share:.0%} of peak")
        if row.get("skipped"):
            fields.insert(2, "SKIPPED")
        return fields


def say(console: Console, text: str) -> None:
    """Print `text`, whatever is in it and whoever reads."""
    with _unread(console):
        console.print(harmless(text), markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def _unread(console: Console) -> Iterator[None]:
    """Print nothing more if it cannot be printed, such as to a pipe whose reader has ended."""
    try:
        yield
    except (OSError, SystemExit):  # rich ends the program for a broken pipe
        console.quiet = True
        if console.file is sys.stdout:
            # Otherwise the interpreter fails when it writes at its end what it still holds.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wrapped(fields: list[str], width: int) -> list[str]:
    """The fields in as few lines of at most `width` characters as they fit, one per line if a field is longer."""
    lines = [fields[0]]
    for field in fields[1:]:
        longer = lines[-1] + _SEPARATOR + field
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(field)
    return lines


def readable(number: float, digits: int = 1) -> str:
    """Return `number` with so many decimals; from a million on as 8.22e+307, since hundreds of digits say no more."""
    return f"{number:,.{digits}f}" if abs(number) < 1e6 else f"{number:.3g}"


def compact(number: float) -> str:
    """Return `number` with at most three digits and an SI prefix: 950, 12.3 k, 1.05 M, 2 G."""
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        # From 999.5 on, three digits would round to a thousand.
        if number >= factor * 0.9995:
            return f"{number / factor:.3g}{prefix}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """Return `seconds` in the one or two largest units: 45 s, 12 min, 3 h 05 min, 2 d 04 h."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // (24 * 60)} d {minutes // 60 % 24:02} h"


def _number(value: Value) -> float | None:
    return value if isinstance(value, int | float) else None


def _shown(value: Value, form: str) -> str:
    """Return a number in the given format, or a dash if it is missing."""
    return "–" if value is None else format(value, form)
