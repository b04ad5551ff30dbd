"""Text from the Web on a terminal."""

import unicodedata
from collections.abc import Sequence
from typing import Any


def printable(text: str) -> str:
    """`text` without what would steer a terminal: each control character, such as an escape, becomes a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def aligned_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in plain text; numbers to the right, full-width characters as two columns."""
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
