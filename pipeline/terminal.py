"""All that a command prints goes through here: text that cannot control the terminal, in any encoding, and aligned tables.

Titles, addresses and error messages come from pages, so they may hold escape sequences. `show`, `json_text` and the errors of a
`Command` or `Group` make each harmless. A stream whose encoding lacks a character shows "?" for it and never raises.
"""

import io
import json
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

# Control characters other than line feed and tab; marks and overrides of writing direction, which can show a text in another
# order than it has; separators that some terminals take for line ends; lone surrogates.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    r"""`text` with an escape such as `\x1b` in place of each character that could control a terminal; line ends and tabs stay."""
    return _HARMFUL.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"


def show(text: str, err: bool = False, nl: bool = True) -> None:
    """Print `text` made harmless, to stderr if `err`, with a line end if `nl`."""
    click.echo(harmless(text), err=err, nl=nl)


def json_text(value: Any) -> str:
    """`value` as JSON on one line that any terminal and encoding can show; what JSON lacks, such as a date, becomes a string."""
    can_show_all = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, ensure_ascii=not can_show_all, default=str)
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def prepare_streams() -> None:
    """Let stdout and stderr show "?" for a character that their encoding lacks, in place of an error that ends the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def _harmless_errors() -> Iterator[None]:
    """Make the message of a click exception that passes through harmless."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = harmless(error.message)  # click declares it final
        raise


class Command(click.Command):
    """A command that is a program of its own: its streams never raise, and what it says of an error is harmless."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        prepare_streams()
        return super().main(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        with _harmless_errors():
            return super().invoke(context)


class Group(Command, click.Group):
    """A group of commands of which the same is true."""


def printable(text: str) -> str:
    """`text` with a space for each unprintable character, such as an escape, because those could control the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def aligned_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in plain text: columns of numbers aligned right, full-width characters counted as two. None is an empty cell."""
    cells = [["" if value is None else _one_line(str(value)) for value in row] for row in rows]
    widths = [max(_width(cell) for cell in column) for column in zip(columns, *cells, strict=True)]
    numeric = [all(_is_number(row[index]) for row in cells) and bool(cells) for index in range(len(columns))]
    lines = [_line(columns, widths, numeric), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, numeric) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, full-width characters counted as two; at least one line."""
    lines, used = [""], 0
    for character in text:
        columns = _width(character)
        if used + columns > width and lines[-1]:
            lines.append("")
            used = 0
        lines[-1] += character
        used += columns
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if right else cell + space)
    return "  ".join(padded)


def _one_line(cell: str) -> str:
    return harmless(cell).replace("\n", " ").replace("\t", " ")


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _is_number(cell: str) -> bool:
    return not cell.strip("0123456789.,-+%e ")
