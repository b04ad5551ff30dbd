"""What a run shows while it goes: one line that changes in a terminal, and a line now and then where nobody is watching.

The figures are those of the rows for `metrics.jsonl`. The most wanted come first, since a narrow terminal cuts the end off.
"""

import unicodedata
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from trainer.record.metrics import RECENT_STEPS, Row, Value

# Seconds of training between two lines of a log: a run of a day makes some 8,000, and none looks dead for long.
PLAIN_LINE_SECONDS = 10


class LiveLine:
    """The line of a run of `total_steps` steps on `console`, inside a `with` block."""

    def __init__(self, total_steps: int, console: Console) -> None:
        self._total_steps = total_steps
        self._console = console
        # Drawn when a row comes, not by a thread of its own at other times: training has all the cores.
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._recent_seconds: deque[float] = deque(maxlen=RECENT_STEPS)
        self._seconds_since_line = float("inf")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, row: Row) -> None:
        """Show a row of kind `train`. In a log the first and the last step have a line, and one every 10 seconds of training."""
        seconds = _number(row.get("seconds")) or 0.0
        self._recent_seconds.append(seconds)
        self._seconds_since_line += seconds
        if self._live is not None:
            self._live.update(Text(self._line(row), no_wrap=True, overflow="ellipsis"), refresh=True)
        elif self._seconds_since_line >= PLAIN_LINE_SECONDS or row["step"] == self._total_steps:
            self._seconds_since_line = 0.0
            self.say(self._line(row))

    def say(self, text: str) -> None:
        """Print `text` above the line. Control characters in it, as a model may write them, are shown as U+FFFD: a
        terminal would obey them."""
        harmless = "".join(
            "\ufffd" if unicodedata.category(letter) == "Cc" and letter not in "\n\t" else letter for letter in text
        )
        self._console.print(harmless, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _line(self, row: Row) -> str:
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
        return " · ".join(fields)


def compact(number: float) -> str:
    """`number` with three digits at most and a prefix of the SI: 950, 12.3 k, 1.05 M, 2 G."""
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        # From 999.5 on, three digits would show a thousand.
        if number >= factor * 0.9995:
            return f"{number / factor:.3g}{prefix}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """`seconds` in the two largest units that matter to someone who waits: 45 s, 12 min, 3 h 05 min, 2 d 04 h."""
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
    """A number in the given form, or a dash for one that is missing."""
    return "–" if value is None else format(value, form)
