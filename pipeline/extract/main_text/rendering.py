"""Writes the texts of a page's blocks, with white space as a browser shows it, and counts the characters of links.

White space collapses to one space; a line break of the source between two characters of a script without spaces collapses to
nothing. In code, white space stays as it is, and no-break spaces are spaces. Outside code, no line starts or ends with white
space.

Between the cells of a table is a tab, as in the text that a browser gives for an element (HTML standard, `innerText`, "append a
string containing a single U+0009 TAB"): it occurs in no cell, and to whoever counts or splits words it is a space.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.compiled import njit

# Kinds of pieces of a block. PLAIN, LINK: a text. LINE: a line of code begins, unless one just did. GAP: between two values, or
# buttons. MARK: an image of a character without `alt`.
PLAIN, LINK, BREAK, CELL, LINE, GAP, MARK = range(7)
# Signs of links to a heading or back from a footnote, which are not text. As numbers of at most 8 bytes of UTF-8.
_ANCHOR_SIGNS = tuple(
    int.from_bytes(sign.encode(), "big")
    for sign in ("#", "¶", "§", "🔗", "^", "↑", "↩", "↩︎", "[編集]", "[edit]")
)  # fmt: skip
_OTHER_SPACES = (0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)  # in addition to those in `_is_space`
# White space to be written before the next character.
_SPACE, _NEW_LINE, _GAP, _NEXT_CELL, _LINE_BREAK = 1, 2, 4, 8, 16
# The geta mark, with which Japanese printers fill the place of a character that they lack.
_GETA = np.frombuffer("〓".encode(), dtype=np.uint8)
# How far the texts are written. A "point" is a character, of one or more bytes.
_STATE = np.dtype(
    [
        ("size", np.int64),  # bytes written
        ("points", np.int64),
        ("seen", np.int64),  # bytes and points up to the last character of the block that is no white space
        ("seen_points", np.int64),
        ("waiting", np.int64),
        ("last", np.int64),  # code point of the last character
        ("start", np.int64),  # of the block, in bytes
        ("first", np.int64),  # byte and point of the text's first character that is no white space, -1 for none
        ("first_point", np.int64),
    ]
)


class Pieces(NamedTuple):
    """The pieces of the blocks, in order. By piece: its kind and the token that is its text. By block: whether it is code, and
    the number of its last piece plus 1."""

    kinds: np.ndarray
    tokens: np.ndarray
    are_code_B: np.ndarray
    ends_B: np.ndarray


class BlockTexts(NamedTuple):
    """`characters`: all texts, UTF-8. By block: where its text ends, in characters (not bytes), and how many of its characters
    are in links. A block that shows nothing has no characters."""

    characters: np.ndarray
    ends_B: np.ndarray
    link_characters_B: np.ndarray


def write_texts(pieces: Pieces, characters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> BlockTexts:
    """The texts of blocks made of `pieces`; `characters[starts[token] : ends[token]]` is the text of a token, UTF-8."""
    return BlockTexts(*_write(*pieces, characters, starts, ends, np.zeros(2 * _STATE.itemsize // 8, dtype=np.int64)))


@njit(nogil=True)
def _character_at(characters: np.ndarray, position: int) -> tuple[int, int]:
    """The code point at `position` of UTF-8, and its number of bytes."""
    byte = characters[position]
    if byte < 0x80:
        return byte, 1
    width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    code = byte & (0xFF >> (width + 1))
    for index in range(1, width):
        code = code << 6 | characters[position + index] & 0x3F
    return code, width


@njit(nogil=True)
def _is_space(code: int) -> bool:
    """Whether the character is white space for Python's `str.isspace`."""
    if code < 0x1680:
        return code == 0x20 or 0x09 <= code <= 0x0D or 0x1C <= code <= 0x1F or code == 0x85 or code == 0xA0
    return 0x2000 <= code <= 0x200A or code in _OTHER_SPACES


@njit(nogil=True)
def _needs_no_space(code: int) -> bool:
    """Whether the character is of a script without spaces: CJK punctuation, kana, Chinese characters, full-width forms."""
    return 0x3000 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0xFF00 <= code <= 0xFFEF


@njit(nogil=True)
def _collapses(code: int) -> bool:
    """Whether white space of HTML, which a browser shows as one space."""
    return code == 0x20 or code == 0x0A or code == 0x09 or code == 0x0C


@njit(nogil=True)
def _separator(waiting: int, before: int, after: int) -> int:
    """What the white space between two characters becomes: a line feed, a tab, a space, or 0 for nothing."""
    if waiting & _LINE_BREAK:
        return 0x0A
    if waiting & _NEXT_CELL:
        return 0x09
    is_source_line_break = waiting & _NEW_LINE and not waiting & _GAP
    return 0 if is_source_line_break and _needs_no_space(before) and _needs_no_space(after) else 0x20


@njit(nogil=True)
def _most_bytes(tokens: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> int:
    """A bound of what is written: all bytes of the texts, and a separator and a mark per piece."""
    most = (1 + len(_GETA)) * len(tokens)
    for token in tokens:
        most += ends[token] - starts[token]
    return most


@njit(nogil=True)
def _write(
    kinds: np.ndarray,
    tokens: np.ndarray,
    are_code_B: np.ndarray,
    ends_B: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    memory: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write all blocks; `memory`, zeros, becomes two states, of now and of before a text.

    for each block, for each of its pieces:
        a line break, cell or gap: white space that waits; a mark
        a text, with those that go on after a comment: write it; forget a link that is only a sign, count another's characters
    """
    out = np.empty(_most_bytes(tokens, starts, ends), dtype=np.uint8)
    out_ends_B = np.zeros(len(ends_B), dtype=np.int64)
    links_B = np.zeros(len(ends_B), dtype=np.int64)
    states = memory.view(_STATE)
    state = states[0]
    piece = 0
    for block in range(len(ends_B)):
        is_code = are_code_B[block] != 0
        _begin_block(state)
        while piece < ends_B[block]:
            kind = kinds[piece]
            if kind == MARK:
                _write_text(out, state, _GETA, 0, len(_GETA), is_code)
                piece += 1
                continue
            if kind > LINK:
                _write_break(out, state, kind, is_code)
                piece += 1
                continue
            states[1] = states[0]
            state.first = state.first_point = -1
            is_same_text = True
            while is_same_text:
                _write_text(out, state, characters, starts[tokens[piece]], ends[tokens[piece]], is_code)
                piece += 1
                is_same_text = piece < ends_B[block] and kinds[piece] == kind and tokens[piece] == tokens[piece - 1] + 1
            if kind == LINK and state.first >= 0:
                if _is_anchor_sign(out, state.first, state.seen):
                    states[0] = states[1]
                else:
                    links_B[block] += state.seen_points - state.first_point
        state.size, state.points = state.seen, state.seen_points
        out_ends_B[block] = state.points
    return out[: state.size], out_ends_B, links_B


@njit(nogil=True)
def _begin_block(state: Any) -> None:
    state.start = state.seen = state.size
    state.seen_points = state.points
    state.waiting = state.last = 0


@njit(nogil=True)
def _write_break(out: np.ndarray, state: Any, kind: int, is_code: bool) -> None:
    """A line break, the next cell or a gap: it waits for a character. In code, a line break is written at once, but begins no
    block."""
    if not is_code:
        state.waiting |= _NEXT_CELL if kind == CELL else _GAP if kind == GAP else _LINE_BREAK
    elif state.size > state.start and (kind == BREAK or out[state.size - 1] != 0x0A):
        out[state.size] = 0x09 if kind == CELL else 0x20 if kind == GAP else 0x0A
        state.size += 1
        state.points += 1


@njit(nogil=True)
def _is_anchor_sign(out: np.ndarray, first: int, end: int) -> bool:
    """Whether `out[first:end]` is one of the signs of links that are no text."""
    sign = 0
    for index in range(first, min(end, first + 9)):
        sign = sign << 8 | out[index]
    return end - first <= 8 and sign in _ANCHOR_SIGNS


@njit(nogil=True)
def _write_text(out: np.ndarray, state: Any, characters: np.ndarray, position: int, end: int, is_code: bool) -> None:  # noqa: C901  a state machine reads best in one place
    """Write `characters[position:end]` after what is written of the block.

    for each character, where a carriage return is a line feed (in code, with a line feed after it, they are one):
        in code: skip a line feed at the block's start; a no-break space is a space
        elsewhere: white space of HTML waits; other white space is skipped at the start of a line or cell
        write what waits, a line break or tab only once the white space before it is taken back
        write the character
    """
    size, points, seen, seen_points = state.size, state.points, state.seen, state.seen_points  # in registers, not in memory
    start, waiting, last = state.start, state.waiting, state.last
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
            if code == 0xA0:
                out[size] = last = 0x20
                size += 1
                points += 1
                continue
        elif _collapses(code):
            waiting |= _NEW_LINE if code == 0x0A else _SPACE
            continue
        elif is_space and (seen == start or waiting & (_LINE_BREAK | _NEXT_CELL)):
            continue
        if waiting and size > start:
            if waiting & (_LINE_BREAK | _NEXT_CELL):
                size, points = seen, seen_points
            separator = _separator(waiting, last, code)
            if separator:
                out[size] = separator
                size += 1
                points += 1
        waiting = 0
        if not is_space and state.first < 0:
            state.first, state.first_point = size, points
        out[size] = code
        for index in range(width if width > 1 else 0):
            out[size + index] = characters[position - width + index]
        size += width
        points += 1
        last = code
        if not is_space:
            seen, seen_points = size, points
    state.size, state.points, state.seen, state.seen_points = size, points, seen, seen_points
    state.waiting, state.last = waiting, last
