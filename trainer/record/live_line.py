"""The progress of a run: one line that is updated in a terminal, or a new line every few seconds in a log.

The figures are those of the rows of `metrics.jsonl`, the most important first, because a narrow terminal cuts off the end.
"""

from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.terminal import printable
from trainer.record.metrics import RECENT_STEPS, Row, Value

# Seconds of training between two lines of a log: about 8,000 lines per day, and a run never looks dead for long.
PLAIN_LINE_SECONDS = 10
# What a sample may contain although `printable` replaces it: line ends, tabs, ideographic spaces, and the joiner of emoji.
_KEPT = "\n\t\u3000\u200d"


class LiveLine:
    """The line of a run of `total_steps` steps on `console`, inside a `with` block."""

    def __init__(self, total_steps: int, console: Console) -> None:
        self._total_steps = total_steps
        self._console = console
        # Drawn when a row comes, not by a thread of its own: training uses all cores.
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
        """Show a row of kind `train`. A log gets a line at the first and last step and every 10 seconds of training."""
        seconds = _number(row.get("seconds")) or 0.0
        self._recent_seconds.append(seconds)
        self._seconds_since_line += seconds
        if self._live is not None:
            self._live.update(Text(self._line(row), no_wrap=True, overflow="ellipsis"), refresh=True)
        elif self._seconds_since_line >= PLAIN_LINE_SECONDS or row["step"] == self._total_steps:
            self._seconds_since_line = 0.0
            self.say(self._line(row))

    def say(self, text: str) -> None:
        """Print `text` above the line, without the control characters that a model may write and a terminal would obey."""
        harmless = "".join(letter if letter in _KEPT else printable(letter) for letter in text)
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
