"""Replaces character references of HTML (`&amp;`, `&#x3042;`) by their characters, in all texts of a page at once.

It follows the HTML standard from section 13.2.5.72 on. The names are those of Python's `html.entities.html5`, the standard's
table: 2,125 names end with a semicolon, and 106 of HTML 2 to 4 are also recognized without one.
"""

import functools
import re
from html.entities import html5
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.tokens import CODE, NOSCRIPT, Tokens

# References to the control characters 0x80 to 0x9F mean the bytes of windows-1252, if it has a character there.
_WINDOWS_1252 = np.array([ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)) for byte in range(0x80, 0xA0)])
_LONGEST_BARE = max(len(name) for name in html5 if not name.endswith(";"))
_REPLACEMENT = 0xFFFD


# Digits that no reference needs; Python reads no number of more than 4,300.
_LONG_NUMBER = re.compile("&#(?P<hexadecimal>[xX]?)(?P<digits>(?<=[xX])[0-9A-Fa-f]{8,}+|(?<=#)[0-9]{8,}+);?")
_MOST_DIGITS = 7  # of 1114111, the last code point


class _Names(NamedTuple):
    """64-bit hashes of the names (semicolon included) in ascending order, and where the characters of each start in `characters`,
    UTF-8. `_names` fails if two names have the same hash."""

    hashes: np.ndarray
    starts: np.ndarray
    characters: np.ndarray


class Texts(NamedTuple):
    """`characters`, UTF-8, and by token the start and end of its text in them, of a start tag that of its `alt`."""

    characters: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def decode_texts(page: np.ndarray, tokens: Tokens) -> Texts:
    """The texts of all tokens of `page`, bytes of UTF-8, without NUL and with character references replaced."""
    return Texts(*_decode(page, tokens.kinds, tokens.starts, tokens.ends, *_names(), _WINDOWS_1252))


def shorten_numbers(text: str) -> str:
    """`text`, in which no numeric character reference has more than seven digits: leading zeros are left out, and U+FFFD stands
    for one that is beyond all code points. Then `html.unescape` can read it, which fails on thousands of digits."""
    return _LONG_NUMBER.sub(_shortened, text)


def _shortened(reference: re.Match[str]) -> str:
    digits = reference["digits"].lstrip("0") or "0"
    return f"&#{reference['hexadecimal']}{digits};" if len(digits) <= _MOST_DIGITS else chr(_REPLACEMENT)


@functools.cache
def _names() -> _Names:
    rows = sorted((_hash_of(name), text.encode()) for name, text in html5.items())
    hashes = np.array([value for value, _ in rows], dtype=np.uint64)
    if len(np.unique(hashes)) < len(hashes):
        raise ValueError("two names of characters have the same hash: change the multiplier of _hash_of")
    sizes = np.array([len(text) for _, text in rows])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return _Names(hashes, starts, np.frombuffer(b"".join(text for _, text in rows), dtype=np.uint8))


def _hash_of(name: str) -> int:
    """FNV-1a (Fowler, Noll, Vo; RFC 9923) of a name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


@njit(nogil=True)
def _find(hashes: np.ndarray, wanted: np.uint64) -> int:
    """The number of the name with that hash, -1 for none."""
    row = int(np.searchsorted(hashes, wanted))
    return row if row < len(hashes) and hashes[row] == wanted else -1


@njit(nogil=True)
def _name_at(page: np.ndarray, position: int, end: int, hashes: np.ndarray) -> tuple[int, int]:
    """The number of the longest name that begins at `position`, -1 for none, and where it ends."""
    found = -1
    after = position
    value = np.uint64(0xCBF29CE484222325)
    start = position
    while position < end:
        byte = page[position]
        position += 1
        value = (value ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        if byte == 0x3B:
            row = _find(hashes, value)
            return (row, position) if row >= 0 else (found, after)
        if not (0x30 <= byte <= 0x39 or 0x61 <= (byte | 0x20) <= 0x7A):
            break
        if position - start <= _LONGEST_BARE:
            row = _find(hashes, value)
            if row >= 0:
                found, after = row, position
    return found, after


@njit(nogil=True)
def _number_at(page: np.ndarray, position: int, end: int, windows_1252: np.ndarray) -> tuple[int, int]:
    """The code point of the number that begins after "&#" at `position`, -1 for none, and where the reference ends."""
    base = 10
    if position < end and (page[position] | 0x20) == 0x78:
        base = 16
        position += 1
    code = 0
    start = position
    while position < end:
        byte = page[position]
        digit = byte - 0x30 if byte <= 0x39 else (byte | 0x20) - 0x57 if (byte | 0x20) >= 0x61 else -1
        if not 0 <= digit < base:
            break
        code = min(code * base + digit, 0x110000)
        position += 1
    if position == start:
        return -1, start
    if position < end and page[position] == 0x3B:
        position += 1
    if 0x80 <= code < 0xA0:
        code = windows_1252[code - 0x80]
    elif code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        code = _REPLACEMENT
    return code, position


@njit(nogil=True)
def _write(out: np.ndarray, size: int, code: int) -> int:
    """Write a code point as UTF-8 at `size`, and return where the next one goes."""
    if code < 0x80:
        out[size] = code
        return size + 1
    width = 2 if code < 0x800 else 3 if code < 0x10000 else 4
    for index in range(width - 1, 0, -1):
        out[size + index] = 0x80 | (code & 0x3F)
        code >>= 6
    out[size] = (0xF00 >> width & 0xFF) | code
    return size + width


@njit(nogil=True)
def _decode(
    page: np.ndarray,
    kinds: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    name_starts: np.ndarray,
    characters: np.ndarray,
    windows_1252: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts: all characters, and by token their start and end. Python's `html.unescape` gives the same.

    for each text or `alt`, for each byte of it:
        "&#" and a number, "&" and a name (not in CODE and NOSCRIPT): write their characters
        NUL: skip it
        any other byte: copy it
    """
    texts = 0
    for token in range(len(kinds)):
        texts += ends[token] - starts[token]
    # No reference is shorter than its characters but for "&nGt;" and "&nLt;", whose 5 bytes mean 6.
    out = np.empty(texts + texts // 5 + 1, dtype=np.uint8)
    out_starts = np.zeros(len(kinds), dtype=np.int32)
    out_ends = np.zeros(len(kinds), dtype=np.int32)
    size = 0
    for token in range(len(kinds)):
        kind = kinds[token]
        is_literal = kind in (CODE, NOSCRIPT)
        out_starts[token] = size
        position, end = starts[token], ends[token]
        while position < end:
            byte = page[position]
            position += 1
            if byte == 0x26 and not is_literal and position < end:
                if page[position] == 0x23:
                    code, after = _number_at(page, position + 1, end, windows_1252)
                    if code >= 0:
                        size = _write(out, size, code)
                        position = after
                        continue
                else:
                    row, after = _name_at(page, position, end, hashes)
                    if row >= 0:
                        for index in range(name_starts[row], name_starts[row + 1]):
                            out[size] = characters[index]
                            size += 1
                        position = after
                        continue
            if byte:
                out[size] = byte
                size += 1
        out_ends[token] = size
    return out[:size], out_starts, out_ends
