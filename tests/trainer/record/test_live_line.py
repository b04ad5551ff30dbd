"""The line that a run shows: its fields, its width, and how often it appears in a log."""

import io
import re

import pytest
from rich.console import Console

from trainer.record.live_line import LiveLine, compact, duration, readable


def log() -> Console:
    """A console that is not a terminal."""
    return Console(file=io.StringIO(), width=200)


def terminal(width: int = 200) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=20)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(step: int, seconds: float = 0.5, **changes: float | int | str | None) -> dict[str, float | int | str | None]:
    figures: dict[str, float | int | str | None] = {
        "step": step,
        "tokens": 8192 * step,
        "kind": "train",
        "loss": 3.14159,
        "bits_per_byte": 1.2345,
        "learning_rate": 3e-4,
        "gradient_norm": 0.876,
        "tokens_per_second": 16384.0,
        "peak_share": 0.413,
        "seconds": seconds,
        "skipped": False,
    }
    return figures | changes


def test_a_line_has_every_field() -> None:
    console = log()
    with LiveLine(2000, console) as line:
        line.update(row(1000))
    assert shown(console) == (
        "step 1,000/2,000 · 8 min left · loss 3.1416 · 1.234 bits/byte · 16.4 k tokens/s · 8.19 M tokens · "
        "learning rate 3.00e-04 · gradient norm 0.88 · 41% of peak\n"
    )


def test_a_terminal_shows_the_same_fields_and_keeps_the_last_line() -> None:
    console = terminal()
    with LiveLine(10, console) as line:
        for step in range(1, 11):
            line.update(row(step, loss=1.0 / step))
    for step in range(1, 11):
        assert f"step {step}/10" in shown(console)
    assert "gradient norm 0.88 · 41% of peak\n" in shown(console)  # with the newline at the end of the block


@pytest.mark.parametrize("width", [40, 60, 120])
def test_a_narrow_terminal_shows_all_of_it_in_several_lines(width: int) -> None:
    console = terminal(width)
    with LiveLine(2000, console) as line:
        line.update(row(1000))
    plain = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", shown(console)).replace("\r", "\n")
    for field in ("step 1,000/2,000", "loss 3.1416", "gradient norm 0.88", "41% of peak"):
        assert field in plain
    assert max(map(len, plain.splitlines())) <= width


def test_a_dumb_terminal_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    console = terminal()
    with LiveLine(2, console) as line:
        line.update(row(1))
    assert "\x1b" not in shown(console)
    assert "step 1/2" in shown(console)


class _Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("drawn", [False, True])
def test_output_that_cannot_be_written_does_not_end_the_run(drawn: bool) -> None:
    console = Console(file=_Closed(), force_terminal=drawn, width=80, height=20)
    with LiveLine(2, console) as line:
        line.say("a")
        line.update(row(1))
        line.update(row(2))


def test_a_log_has_the_first_step_the_last_and_one_line_every_ten_seconds_of_training() -> None:
    console = log()
    with LiveLine(50, console) as line:
        for step in range(1, 51):
            line.update(row(step, seconds=0.75))
    assert [text.split()[1] for text in shown(console).splitlines()] == ["1/50", "15/50", "29/50", "43/50", "50/50"]


def test_the_time_left_follows_the_last_steps() -> None:
    console = log()
    with LiveLine(160, console) as line:
        line.update(row(1, seconds=100.0))
        for step in range(2, 60):
            line.update(row(step, seconds=0.1))
        line.update(row(60, seconds=0.1))
        line.update(row(61, seconds=18.1))  # 20 steps in 20 seconds
    lines = shown(console).splitlines()
    assert "4 h 25 min left" in lines[0]
    assert "2 min left" in lines[-1]
    assert lines[-1].startswith("step 61/160")


def test_figures_that_are_missing_are_dashes_and_a_skipped_step_is_said() -> None:
    console = log()
    with LiveLine(10, console) as line:
        line.update(row(1, loss=None, gradient_norm=None, peak_share=None, skipped=True))
    assert "step 1/10 · 4 s left · SKIPPED · loss – · " in shown(console)
    assert "gradient norm –\n" in shown(console)


@pytest.mark.parametrize("console", [log(), terminal()])
def test_what_is_said_is_printed_as_it_is_but_for_control_characters(console: Console) -> None:
    text = "[bold]東京[/bold] :cat: 3\u3000つ\n\tend"
    with LiveLine(10, console) as line:
        line.say(text)
        line.say("\x1b[2Jcleared\r\x07\x9b")
    assert "[bold]東京[/bold] :cat: 3\u3000つ\n" in shown(console)
    assert "\\x1b[2Jcleared\\x0d\\x07\\x9b\n" in shown(console)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (950, "950"), (999.6, "1 k"), (12345, "12.3 k"), (999_600, "1 M"), (1_054_000, "1.05 M"), (2e9, "2 G")],
)
def test_numbers_have_three_digits_at_most(number: float, text: str) -> None:
    assert compact(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3569, "59 min"),
        (3571, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (187_200, "2 d 04 h"),
    ],
)
def test_durations_have_the_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_perplexity_beyond_reading_has_an_exponent() -> None:
    assert readable(1234.56) == "1,234.6"
    assert readable(8.2e307, 2) == "8.2e+307"
