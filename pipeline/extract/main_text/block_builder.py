"""One pass over the tokens of a page that puts its blocks together.

The pass keeps the elements that are open, as a browser does, and writes an element down once a block in it is complete. Of the
rules of the HTML standard it leaves out those that only move text or repeat formatting: text between the rows of a table stays
where it is, and of the elements that browsers reopen in the next block (`b`, `font`, ...) only links are.

In short:

    for each token:
        text:       inside an element without text, count its letters; elsewhere add it to the block that is being built
        start tag:  close what it ends; if it starts a line, end the block; add a space or line break; open the element
        end tag:    close the element of that name
        closing an element ends the block if that element, or one inside it, starts a line
    end the last block
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from pipeline.extract.html.elements import (
    ANCHOR,
    CLASS,
    CLOSES,
    END_STOPS,
    FOREIGN,
    FORMATTING,
    IN_TABLE,
    INNERMOST,
    KIND,
    NAME,
    ONCE,
    SCOPE,
    SPECIAL,
    STOPS,
    TABLE,
    TOGGLE,
    VOID,
    P,
    pack_name,
)
from pipeline.extract.html.open_elements import (
    A_LINK,
    BITS,
    CODE_TEXT,
    COLUMNS,
    INLINE,
    IS_CODE,
    IS_FOREIGN,
    LANDMARK,
    NO_ROLE,
    PLACE,
    PROPERTIES,
    ROLE,
    SPACED,
    TAG,
    WITHOUT_TEXT,
    close,
    ends_a_block,
    innermost,
    outer_foreign,
    outermost,
)
from pipeline.extract.html.references import Texts
from pipeline.extract.html.tokens import HAS_TARGET, HIDDEN, NOSCRIPT, SELF_CLOSING, START, TITLE, Tokens
from pipeline.extract.main_text.class_names import COMMENTS, LEFT_OUT
from pipeline.extract.main_text.rendering import BREAK, CELL, LINK, PLAIN

# Real pages nest at most 72 deep (12,473 pages). A tag may look at all open elements: markup made for that costs 2 s per 10 MB.
MAX_DEPTH = 256
# Judging a block takes microseconds and a kilobyte or two, and 10 MB of markup can hold 2.5 million blocks of one letter. The
# largest of 7,651 real pages has 1,660.
MOST_BLOCKS = 100_000
# Columns of the table of elements, after those of `element_table`. Its last row is for names that the table lacks.
OWN_PROPERTIES, OWN_TAG = range(6, 8)

# Rows of the table that the pass writes. By piece: kind and token. By block: the element that holds it, whether it is code, the
# number of its last piece plus 1. By element: parent, tag, words.
PIECE_KIND, PIECE_TOKEN, HOLDER, IS_CODE_BLOCK, PIECES_END, PARENT, ELEMENT_TAG, WORDS = range(8)

_BR, _BODY, _HTML, _SPAN = map(pack_name, ("br", "body", "html", "span"))


# What the pass keeps while it reads. A record, which compiled code hands on as one pointer: with a named tuple of arrays, whose
# references it counts at each call, the pass took five times as long.
BUILDING = np.dtype(
    [
        ("stack", np.int64, (MAX_DEPTH, COLUMNS)),
        ("roles", np.int64, 4),  # how many open elements have each role
        ("open_names", np.int64, 256),  # how many are open by the last letter of their names, to save looking for others
        ("size", np.int64),  # of the stack
        ("left_out_from", np.int64),  # where on the stack the element is in which nothing is shown, MAX_DEPTH for none
        ("block_start", np.int64),  # the first piece of the block that is being built
        ("pieces", np.int64),
        ("blocks", np.int64),
        ("elements", np.int64),
        ("title", np.int64),  # the token, -1 for none
        ("letters_left_out", np.int64),
    ]
)


class Blocks(NamedTuple):
    """`title`: the token that is the title, -1 for none. By piece: kind and token. By block: the element that holds it, whether
    it is code, and the number of its last piece plus 1. By element: its parent (-1 for the first), tag and words. All int32."""

    title: int
    letters_left_out: int
    piece_kinds: np.ndarray
    piece_tokens: np.ndarray
    holders_B: np.ndarray
    are_code_B: np.ndarray
    piece_ends_B: np.ndarray
    parents_E: np.ndarray
    tags_E: np.ndarray
    words_E: np.ndarray


def build_blocks(tokens: Tokens, words: np.ndarray, texts: Texts, table: np.ndarray, is_whole: bool) -> Blocks:
    """The blocks of a page from its tokens, the words and texts of these, and the table of elements (int64, shape (rows, 8)).

    is_whole: also what is hidden, navigates or comments."""
    building = np.zeros(1, dtype=BUILDING)
    written = _build(tokens.kinds, tokens.names, tokens.bits, words, *texts, table, is_whole, building)
    pieces, blocks, elements = (int(building[name][0]) for name in ("pieces", "blocks", "elements"))
    counts = (pieces, pieces, blocks, blocks, blocks, elements, elements, elements)
    columns = (row[:count] for row, count in zip(written, counts, strict=True))
    return Blocks(int(building["title"][0]), int(building["letters_left_out"][0]), *columns)


@numba.njit(cache=True, nogil=True)
def _build(
    kinds: np.ndarray,
    names: np.ndarray,
    bits: np.ndarray,
    words: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    table: np.ndarray,
    is_whole: bool,
    buildings: np.ndarray,
) -> np.ndarray:
    """Read all tokens; `buildings` is one record of zeros."""
    building = buildings[0]
    _open_html_and_body(building, table)
    # each tag begins or closes one element, and may begin a link anew
    written = np.empty((8, 2 * len(kinds) + 2), dtype=np.int32)
    for token in range(len(kinds)):
        kind = kinds[token]
        if kind <= NOSCRIPT:
            _add_text(building, written, token, kind, characters, starts[token], ends[token])
        elif kind == START:
            _take_start_tag(building, written, table, token, names[token], bits[token], words[token], is_whole)
        else:
            _take_end_tag(building, written, table, token, names[token])
        if building.blocks == MOST_BLOCKS:
            return written
    _end_block(building, written)
    return written


@numba.njit(cache=True, nogil=True)
def _open_html_and_body(building: Any, table: np.ndarray) -> None:
    """The elements that every page has."""
    stack = building.stack
    stack[0, NAME], stack[1, NAME] = _HTML, _BODY
    stack[1, TAG] = table[_row_of(table, _BODY), OWN_TAG]
    stack[0, PLACE] = stack[1, PLACE] = -1
    building.size, building.left_out_from, building.title = 2, MAX_DEPTH, -1


@numba.njit(cache=True, nogil=True)
def _row_of(table: np.ndarray, name: int) -> int:
    """The row of the element `name`, the last one for names that the table lacks."""
    row = name % (len(table) - 1)
    return row if table[row, NAME] == name else len(table) - 1


@numba.njit(cache=True, nogil=True)
def _letters(characters: np.ndarray, start: int, end: int, is_markup: bool) -> int:
    """How many letters UTF-8 holds; in markup, those outside of tags."""
    letters = 0
    is_tag = False
    for position in range(start, end):
        byte = characters[position]
        if is_markup and byte in (0x3C, 0x3E):
            is_tag = byte == 0x3C
        # E2 leads punctuation; EE and EF private and compatibility forms, F0 emoji
        letters += not is_tag and (0x41 <= (byte & 0xDF) <= 0x5A or (0xC3 <= byte < 0xEE and byte != 0xE2))
    return letters


@numba.njit(cache=True, nogil=True)
def _is_blank(characters: np.ndarray, start: int, end: int) -> bool:
    position = start
    while position < end and characters[position] <= 0x20:
        position += 1
    return position == end


@numba.njit(cache=True, nogil=True)
def _add_piece(building: Any, written: np.ndarray, kind: int, token: int) -> None:
    written[PIECE_KIND, building.pieces], written[PIECE_TOKEN, building.pieces] = kind, token
    building.pieces += 1


@numba.njit(cache=True, nogil=True)
def _add_text(building: Any, written: np.ndarray, token: int, kind: int, characters: np.ndarray, start: int, end: int) -> None:
    """Add a text to the block, or count its letters where none is shown; white space begins no block outside of code."""
    stack, roles = building.stack, building.roles
    left_out = building.left_out_from
    if kind == TITLE:
        if building.title < 0 and not roles[IS_FOREIGN]:
            building.title = token
    elif kind == NOSCRIPT:
        building.letters_left_out += _letters(characters, start, end, True)
    elif left_out < building.size:
        if not stack[left_out, PROPERTIES] & WITHOUT_TEXT:
            building.letters_left_out += _letters(characters, start, end, False)
    elif building.pieces > building.block_start or roles[IS_CODE] or not _is_blank(characters, start, end):
        _add_piece(building, written, LINK if roles[A_LINK] else PLAIN, token)


@numba.njit(cache=True, nogil=True)
def _end_block(building: Any, written: np.ndarray) -> None:
    """End the block that is being built, if it has a piece.

    Its holder is the innermost open element that starts a line and shows text; what is around that and not yet among the elements
    is written down, the outermost first.
    """
    stack = building.stack
    if building.pieces == building.block_start:
        return
    holder = min(building.left_out_from, building.size) - 1
    while stack[holder, PROPERTIES] & INLINE:
        holder -= 1
    known = holder
    while known >= 0 and stack[known, PLACE] < 0:
        known -= 1
    element = building.elements
    for index in range(known + 1, holder + 1):
        written[PARENT, element] = stack[index - 1, PLACE] if index else -1
        written[ELEMENT_TAG, element], written[WORDS, element] = stack[index, TAG], stack[index, BITS]
        stack[index, PLACE] = element
        element += 1
    building.elements = element
    block = building.blocks
    written[HOLDER, block], written[IS_CODE_BLOCK, block] = stack[holder, PLACE], building.roles[IS_CODE] > 0
    written[PIECES_END, block] = building.block_start = building.pieces
    building.blocks = block + 1


@numba.njit(cache=True, nogil=True)
def _close(building: Any, written: np.ndarray, index: int) -> None:
    """Close the open element at `index`, -1 for none; before that, end the block if that ends a line."""
    if index < 0:
        return
    stack = building.stack
    size, left_out = building.size, building.left_out_from
    shown = min(left_out, size)
    is_formatting = stack[index, KIND] & FORMATTING
    if not is_formatting and ends_a_block(stack, shown, index):
        _end_block(building, written)
    if index <= left_out < size:
        # a formatting element around what is left out closes alone, and what is left out moves outwards
        building.left_out_from = left_out - 1 if is_formatting and index < left_out else MAX_DEPTH
    building.size = close(stack, size, shown, index, building.roles, building.open_names)


@numba.njit(cache=True, nogil=True)
def _take_end_tag(building: Any, written: np.ndarray, table: np.ndarray, token: int, name: int) -> None:
    """Close the element that the end tag names; `</p>` without one ends the block, and `</br>` is a line break."""
    row = _row_of(table, name)
    index = -1
    if building.open_names[name & 0xFF]:
        index = innermost(building.stack, building.size, 2, name, table[row, END_STOPS])
    _close(building, written, index)
    is_shown = building.left_out_from >= building.size
    if index < 0 and table[row, CLASS] == P and is_shown:  # stands for an empty one
        _end_block(building, written)
    if name == _BR and is_shown and building.pieces > building.block_start:
        _add_piece(building, written, BREAK, token)


@numba.njit(cache=True, nogil=True)
def _merge_words(building: Any, written: np.ndarray, place: int, words: int) -> None:
    """Add the words of an `html` or `body` tag to those of the one such element that a page has."""
    more = words & ~(LEFT_OUT | COMMENTS)  # style sheets hide a page until its scripts show it
    building.stack[place, BITS] |= more
    element = building.stack[place, PLACE]
    if element >= 0:
        written[WORDS, element] |= more


@numba.njit(cache=True, nogil=True)
def _close_before(building: Any, written: np.ndarray, table: np.ndarray, row: int) -> bool:
    """Close what the start tag of the element in `row` ends; whether the tag still opens an element."""
    stack = building.stack
    if building.roles[IS_FOREIGN] and table[row, CLASS] & SPECIAL & ~SCOPE:  # an element of HTML ends what is foreign to it
        _close(building, written, outer_foreign(stack, building.size))
    if not table[row, CLOSES]:
        return True
    first = max(building.size - 1, 2) if table[row, KIND] & INNERMOST else 2
    index = outermost(stack, building.size, first, table[row, CLOSES], table[row, STOPS])
    _close(building, written, index)
    return index < 0 or not table[row, KIND] & TOGGLE


@numba.njit(cache=True, nogil=True)
def _is_left_out(properties: int, name: int, bits: int, words: int, is_whole: bool) -> bool:
    """Whether an element gives no text: by its name, or, unless the whole page is read, by its attributes."""
    if properties & WITHOUT_TEXT:
        return True
    if is_whole:
        return False
    return bool(properties & LANDMARK or bits & HIDDEN or words & LEFT_OUT or (words & COMMENTS and name != _SPAN))


@numba.njit(cache=True, nogil=True)
def _take_start_tag(
    building: Any, written: np.ndarray, table: np.ndarray, token: int, name: int, bits: int, words: int, is_whole: bool
) -> None:
    """Close what the start tag ends, end the block or add the space that the element brings, and open the element."""
    stack = building.stack
    row = _row_of(table, name)
    kind, properties = table[row, KIND], table[row, OWN_PROPERTIES]
    if kind & ONCE:
        if name in (_HTML, _BODY):
            _merge_words(building, written, 0 if name == _HTML else 1, words)
        return
    if kind & IN_TABLE and outermost(stack, building.size, 2, TABLE, TABLE) < 0:
        return
    is_left_out = _is_left_out(properties, name, bits, words, is_whole)
    opens = _close_before(building, written, table, row)
    if not is_left_out and building.left_out_from >= building.size:
        if opens and not properties & INLINE:
            _end_block(building, written)
        if building.pieces > building.block_start and (name == _BR or (opens and properties & SPACED)):
            _add_piece(building, written, BREAK if name == _BR else CELL, token)
    if opens and not kind & VOID and building.size < MAX_DEPTH:
        _open(building, table, row, name, bits, words, is_left_out)


@numba.njit(cache=True, nogil=True)
def _open(building: Any, table: np.ndarray, row: int, name: int, bits: int, words: int, is_left_out: bool) -> None:
    """Open an element, unless it is foreign to HTML and closes itself."""
    stack, roles = building.stack, building.roles
    size, own_class, properties = building.size, table[row, CLASS], table[row, OWN_PROPERTIES]
    is_foreign = own_class & FOREIGN
    if bits & SELF_CLOSING and (is_foreign or roles[IS_FOREIGN]):
        return
    role = IS_FOREIGN if is_foreign else NO_ROLE
    if building.left_out_from >= size:
        if is_left_out:
            building.left_out_from = size
        elif own_class & ANCHOR and bits & HAS_TARGET:
            role = A_LINK
        elif properties & CODE_TEXT:
            role = IS_CODE
    stack[size, NAME], stack[size, KIND], stack[size, CLASS] = name, table[row, KIND], own_class
    stack[size, PROPERTIES], stack[size, TAG] = properties, table[row, OWN_TAG]
    stack[size, BITS], stack[size, PLACE], stack[size, ROLE] = words, -1, role
    roles[role] += 1
    building.open_names[name & 0xFF] += 1
    building.size = size + 1
