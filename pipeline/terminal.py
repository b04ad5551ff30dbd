"""Text for a terminal: without control characters, and in aligned tables."""

import unicodedata
from collections.abc import Sequence
from typing import Any


def printable(text: str) -> str:
    """`text` with a space for each unprintable character, such as an escape, because those could control the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def aligned_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in plain text: columns of numbers aligned right, full-width characters counted as two. None is an empty cell."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(_width(cell) for cell in column) for column in zip(columns, *cells, strict=True)]
    numeric = [all(_is_number(row[index]) for row in cells) and bool(cells) for index in range(len(columns))]
    lines = [_line(columns, widths, numeric), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, numeric) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if right else cell + space)
    return "  ".join(padded)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _is_number(cell: str) -> bool:
    return not cell.strip("0123456789.,-+%e ")
