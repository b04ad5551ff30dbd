"""Counts the letters that an HTML page shows, by script, from its bytes and before anything is parsed.

One pass skips tags, comments, scripts and styles. The counts are exact on well-formed pages and close on others. They decide
whether a page is worth parsing, and whether an extractor has missed most of it.
"""

from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit

# The content of these is not shown; that of `noscript`, the last, is shown without scripts.
RAW_TEXT = (b"script", b"style", b"template", b"noscript")


class VisibleLetters(NamedTuple):
    """Letters outside markup: hiragana and katakana, other non-ASCII letters, ASCII letters."""

    kana: int
    other: int
    ascii: int

    @property
    def total(self) -> int:
        return self.kana + self.other + self.ascii


def visible_letters(page: bytes, has_scripts: bool = True) -> VisibleLetters:
    """The letters that `page`, HTML in UTF-8, shows in a browser with scripts or in one without. Never fails; linear in the
    bytes."""
    hidden = len(RAW_TEXT) if has_scripts else len(RAW_TEXT) - 1
    return VisibleLetters(*_visible_letters(np.frombuffer(page, dtype=np.uint8), hidden))


@njit(nogil=True)
def _at(page: np.ndarray, position: int, text: bytes) -> bool:
    """Whether `text` (in lower case) is at `position`, ignoring case."""
    if position + len(text) > len(page):
        return False
    for index in range(len(text)):
        byte = page[position + index]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte != text[index]:
            return False
    return True


@njit(nogil=True)
def _is_tag(page: np.ndarray, position: int, name: bytes) -> bool:
    """Whether the tag whose name begins at `position` is exactly `name`."""
    if not _at(page, position, name):
        return False
    end = position + len(name)
    return end >= len(page) or page[end] <= 0x20 or page[end] == 0x2F or page[end] == 0x3E


@njit(nogil=True)
def _after_markup(page: np.ndarray, position: int, hidden: int) -> int:
    """Where text continues after the "<" at `position`; for the first `hidden` of RAW_TEXT, after their content."""
    size = len(page)
    if _at(page, position, b"<!--"):
        position += 4
        while position < size and not _at(page, position, b"-->"):
            position += 1
        return position + 3
    initial = page[min(position + 1, size - 1)] | 0x20
    for index, name in enumerate(RAW_TEXT):
        if index < hidden and initial == name[0] and _is_tag(page, position + 1, name):
            position += len(name)
            while position < size:
                if page[position] == 0x3C and _at(page, position, b"</") and _is_tag(page, position + 2, name):
                    break
                position += 1
            break
    while position < size and page[position] != 0x3E:
        position += 1
    return position + 1


@njit(nogil=True)
def _visible_letters(page: np.ndarray, hidden: int) -> tuple[int, int, int]:
    kana = 0
    other = 0
    ascii_letters = 0
    position = 0
    size = len(page)
    while position < size:
        byte = page[position]
        if byte == 0x3C and position + 1 < size and (page[position + 1] > 0x40 or page[position + 1] in (0x21, 0x2F, 0x3F)):
            position = _after_markup(page, position, hidden)
            continue
        if byte < 0x80:
            ascii_letters += 0x41 <= (byte & 0xDF) <= 0x5A
        elif byte == 0xE3 and position + 2 < size:
            second = page[position + 1]
            third = page[position + 2]
            if second == 0x81 or (second == 0x82 and not 0x97 <= third <= 0xA0) or (second == 0x83 and third < 0xBB):
                kana += 1
            elif second >= 0x84:
                other += 1
        elif byte >= 0xC3 and byte != 0xE2 and byte < 0xEE:
            # Lead bytes of letters: C2 and E2 lead punctuation, EE and EF private and compatibility forms, F0 emoji.
            other += 1
        position += 1
    return kana, other, ascii_letters
