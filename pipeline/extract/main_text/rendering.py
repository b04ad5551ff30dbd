"""The texts of a page's blocks: white space as a browser shows it, and how much of each text is links.

White space collapses to one space, and a line break of the source between two characters of a script without spaces to nothing;
in code everything stays as it is. Lines begin and end with something that is seen.
"""

from typing import NamedTuple

import numba
import numpy as np

# What a block is put together from.
PLAIN, LINK, BREAK, CELL = range(4)
# Signs of links to a heading or back from a footnote: such links are no text. As numbers of at most 8 bytes of UTF-8.
_ANCHOR_SIGNS = tuple(
    int.from_bytes(sign.encode(), "big")
    for sign in ("#", "¶", "§", "🔗", "^", "↑", "↩", "↩︎", "[編集]", "[edit]")
)  # fmt: skip
_OTHER_SPACES = (0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)  # beyond those that `_is_space` names
# White space that waits for the next character.
_SPACE, _NEW_LINE, _NEXT_CELL, _LINE_BREAK = 1, 2, 4, 8


class Pieces(NamedTuple):
    """What the blocks are made of, in order: of each piece its kind and the token that is its text; and of each block whether
    it is code, and the number of the first piece that is no longer its own."""

    kinds: np.ndarray
    tokens: np.ndarray
    are_code_B: np.ndarray
    ends_B: np.ndarray


class BlockTexts(NamedTuple):
    """`characters` of all texts, as UTF-8, and by block where its text ends, in characters, not in bytes, and how many of its
    characters stand in links. A block that shows nothing has no characters."""

    characters: np.ndarray
    ends_B: np.ndarray
    link_characters_B: np.ndarray


def write_texts(pieces: Pieces, characters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> BlockTexts:
    """The texts of blocks made of `pieces`; `characters[starts[token] : ends[token]]` is the text of a token, UTF-8."""
    return BlockTexts(*_write(*pieces, characters, starts, ends))


@numba.njit(cache=True, nogil=True)
def _character_at(characters: np.ndarray, position: int) -> tuple[int, int]:
    """The code point at `position` of UTF-8, and how many bytes it has."""
    byte = characters[position]
    if byte < 0x80:
        return byte, 1
    width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    code = byte & (0xFF >> (width + 1))
    for index in range(1, width):
        code = code << 6 | characters[position + index] & 0x3F
    return code, width


@numba.njit(cache=True, nogil=True)
def _is_space(code: int) -> bool:
    """Whether Python's `str.isspace` says so of the character."""
    if code < 0x1680:
        return code == 0x20 or 0x09 <= code <= 0x0D or 0x1C <= code <= 0x1F or code == 0x85 or code == 0xA0
    return 0x2000 <= code <= 0x200A or code in _OTHER_SPACES


@numba.njit(cache=True, nogil=True)
def _needs_no_space(code: int) -> bool:
    """Whether the character is of a script without spaces: CJK punctuation, kana, Chinese characters, full-width forms."""
    return 0x3000 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0xFF00 <= code <= 0xFFEF


@numba.njit(cache=True, nogil=True)
def _write(
    kinds: np.ndarray,
    tokens: np.ndarray,
    are_code_B: np.ndarray,
    ends_B: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    most = len(kinds)  # of separators; and of the texts every byte
    for piece in range(len(kinds)):
        most += ends[tokens[piece]] - starts[tokens[piece]]
    out = np.empty(most, dtype=np.uint8)
    out_ends_B = np.zeros(len(ends_B), dtype=np.int64)
    links_B = np.zeros(len(ends_B), dtype=np.int64)
    size = points = 0  # bytes and characters written
    piece = 0
    for block in range(len(ends_B)):
        is_code = are_code_B[block]
        start = seen = size  # seen: after the last character that is no white space
        seen_points = points
        waiting = 0
        last = 0
        while piece < ends_B[block]:
            kind = kinds[piece]
            if kind in (BREAK, CELL):
                if is_code and kind == BREAK:
                    out[size] = 0x0A
                    size += size > start
                    points += size > start
                else:
                    waiting |= _LINE_BREAK if kind == BREAK else _NEXT_CELL
                piece += 1
                continue
            before = (size, points, seen, seen_points, waiting, last)
            first = first_point = -1
            is_same_text = True
            while is_same_text:  # a text goes on after a comment
                position, end = starts[tokens[piece]], ends[tokens[piece]]
                while position < end:
                    code, width = _character_at(characters, position)
                    position += width
                    if code == 0x0D:
                        code = 0x0A
                        if is_code and position < end and characters[position] == 0x0A:
                            continue
                    is_space = _is_space(code)
                    if is_code:
                        if code == 0x0A and size == start:
                            continue
                    elif code == 0x0A or code == 0x20 or code == 0x09 or code == 0x0C:
                        waiting |= _NEW_LINE if code == 0x0A else _SPACE
                        continue
                    elif is_space and (seen == start or waiting & _LINE_BREAK):
                        continue
                    if waiting and size > start:
                        if waiting & _LINE_BREAK:
                            size, points = seen, seen_points
                        joins = waiting <= _SPACE | _NEW_LINE and waiting & _NEW_LINE
                        if not (joins and _needs_no_space(last) and _needs_no_space(code)):
                            out[size] = 0x0A if waiting & _LINE_BREAK else 0x20
                            size += 1
                            points += 1
                    waiting = 0
                    if not is_space and first < 0:
                        first, first_point = size, points
                    out[size] = code
                    for index in range(width if width > 1 else 0):
                        out[size + index] = characters[position - width + index]
                    size += width
                    points += 1
                    last = code
                    if not is_space:
                        seen, seen_points = size, points
                piece += 1
                is_same_text = piece < ends_B[block] and kinds[piece] == kind and tokens[piece] == tokens[piece - 1] + 1
            if kind == LINK and first >= 0:
                sign = 0
                for index in range(first, min(seen, first + 9)):
                    sign = sign << 8 | out[index]
                if seen - first <= 8 and sign in _ANCHOR_SIGNS:
                    size, points, seen, seen_points, waiting, last = before
                else:
                    links_B[block] += seen_points - first_point
        size, points = seen, seen_points
        out_ends_B[block] = points
    return out[:size], out_ends_B, links_B
