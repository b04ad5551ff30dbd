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

import numpy as np

from pipeline.compiled import njit
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
    row_of,
)
from pipeline.extract.html.references import Texts
from pipeline.extract.html.tokens import HAS_TARGET, HIDDEN, NOSCRIPT, SELF_CLOSING, START, TITLE, Tokens
from pipeline.extract.main_text.class_names import COMMENTS, LEFT_OUT
from pipeline.extract.main_text.rendering import BREAK, CELL, LINK, PLAIN
from pipeline.extract.main_text.utf8_letters import is_blank, letters_in

# Real pages nest at most 72 deep (12,473 pages). A tag may look at all open elements: markup made for that costs 2 s per 10 MB.
MAX_DEPTH = 256
# Judging a block takes microseconds and a kilobyte or two, and 10 MB of markup can hold 2.5 million blocks of one letter. The
# largest of 7,651 real pages has 1,660.
MOST_BLOCKS = 100_000
OWN_PROPERTIES, OWN_TAG = range(6, 8)  # columns of the table of elements, after those of `element_table`
# Rows of the tables that the pass writes, a column per piece, block or element.
PIECE_KIND, PIECE_TOKEN = range(2)
HOLDER, IS_CODE_BLOCK, PIECES_END = range(3)  # the element around the block, and the number of its last piece plus 1
PARENT, ELEMENT_TAG, WORDS = range(3)
_BR, _BODY, _HTML, _SPAN = map(pack_name, ("br", "body", "html", "span"))

# State of the pass. A record, because compiled code passes it as one pointer: with a named tuple of arrays, whose references are
# counted at every call, the pass took five times as long. For the same reason functions with one caller are inlined.
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
    """`title`: the token that is the title, -1 for none. The tables are int32, with the rows that are named above."""

    title: int
    letters_left_out: int
    pieces: np.ndarray
    blocks: np.ndarray
    elements: np.ndarray


def build_blocks(tokens: Tokens, words: np.ndarray, texts: Texts, table: np.ndarray, is_whole: bool) -> Blocks:
    """The blocks of a page from its tokens, the words and texts of these, and the table of elements (int64, shape (rows, 8)).

    is_whole: also what is hidden, navigates or comments."""
    memory = np.zeros(BUILDING.itemsize // 8, dtype=np.int64)
    return Blocks(*_build(tokens.kinds, tokens.names, tokens.bits, words, *texts, table, is_whole, memory))


@njit(nogil=True)
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
    memory: np.ndarray,
) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray]:
    """Read all tokens; `memory`, zeros, becomes the record."""
    building = memory.view(BUILDING)[0]
    _open_html_and_body(building, table)
    pieces = np.empty((2, len(kinds)), dtype=np.int32)
    blocks = np.empty((3, len(kinds) + 1), dtype=np.int32)
    # each tag begins or closes one element, and may begin a link anew
    elements = np.empty((3, 2 * len(kinds) + 2), dtype=np.int32)
    for token in range(len(kinds)):
        kind = kinds[token]
        if kind <= NOSCRIPT:
            _add_text(building, pieces, token, kind, characters, starts[token], ends[token])
        elif kind == START:
            name = names[token]
            _take_start_tag(building, pieces, blocks, elements, table, token, name, bits[token], words[token], is_whole)
        else:
            _take_end_tag(building, pieces, blocks, elements, table, token, names[token])
        if building.blocks == MOST_BLOCKS:
            break
    else:
        _end_block(building, blocks, elements)
    return (
        building.title,
        building.letters_left_out,
        pieces[:, : building.pieces],
        blocks[:, : building.blocks],
        elements[:, : building.elements],
    )


@njit(nogil=True)
def _open_html_and_body(building: Any, table: np.ndarray) -> None:
    """The elements that every page has."""
    stack = building.stack
    stack[0, NAME], stack[1, NAME] = _HTML, _BODY
    stack[1, TAG] = table[row_of(table, _BODY), OWN_TAG]
    stack[0, PLACE] = stack[1, PLACE] = -1
    building.size, building.left_out_from, building.title = 2, MAX_DEPTH, -1


@njit(nogil=True)
def _add_piece(building: Any, pieces: np.ndarray, kind: int, token: int) -> None:
    pieces[PIECE_KIND, building.pieces], pieces[PIECE_TOKEN, building.pieces] = kind, token
    building.pieces += 1


@njit(nogil=True, inline="always")
def _add_text(building: Any, pieces: np.ndarray, token: int, kind: int, characters: np.ndarray, start: int, end: int) -> None:
    """Add a text to the block, or count its letters where none is shown; white space begins no block outside of code."""
    stack, roles = building.stack, building.roles
    left_out = building.left_out_from
    if kind == TITLE:
        if building.title < 0 and not roles[IS_FOREIGN]:
            building.title = token
    elif kind == NOSCRIPT:
        building.letters_left_out += letters_in(characters, start, end, True)
    elif left_out < building.size:
        if not stack[left_out, PROPERTIES] & WITHOUT_TEXT:
            building.letters_left_out += letters_in(characters, start, end, False)
    elif building.pieces > building.block_start or roles[IS_CODE] or not is_blank(characters, start, end):
        _add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)


@njit(nogil=True)
def _end_block(building: Any, blocks: np.ndarray, elements: np.ndarray) -> None:
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
        elements[PARENT, element] = stack[index - 1, PLACE] if index else -1
        elements[ELEMENT_TAG, element], elements[WORDS, element] = stack[index, TAG], stack[index, BITS]
        stack[index, PLACE] = element
        element += 1
    building.elements = element
    block = building.blocks
    blocks[HOLDER, block], blocks[IS_CODE_BLOCK, block] = stack[holder, PLACE], building.roles[IS_CODE] > 0
    blocks[PIECES_END, block] = building.block_start = building.pieces
    building.blocks = block + 1


@njit(nogil=True)
def _close(building: Any, blocks: np.ndarray, elements: np.ndarray, index: int) -> None:
    """Close the open element at `index`; before that, end the block if that ends a line."""
    stack = building.stack
    size, left_out = building.size, building.left_out_from
    shown = min(left_out, size)
    is_formatting = stack[index, KIND] & FORMATTING
    if not is_formatting and ends_a_block(stack, shown, index):
        _end_block(building, blocks, elements)
    if index <= left_out < size:
        # a formatting element around what is left out closes alone, and what is left out moves outwards
        building.left_out_from = left_out - 1 if is_formatting and index < left_out else MAX_DEPTH
    building.size = close(stack, size, shown, index, building.roles, building.open_names)


@njit(nogil=True, inline="always")
def _take_end_tag(
    building: Any, pieces: np.ndarray, blocks: np.ndarray, elements: np.ndarray, table: np.ndarray, token: int, name: int
) -> None:
    """Close the element that the end tag names; `</p>` without one ends the block, and `</br>` is a line break."""
    row = row_of(table, name)
    index = -1
    if building.open_names[name & 0xFF]:
        index = innermost(building.stack, building.size, 2, name, table[row, END_STOPS])
    if index >= 0:
        _close(building, blocks, elements, index)
    is_shown = building.left_out_from >= building.size
    if index < 0 and table[row, CLASS] == P and is_shown:  # stands for an empty one
        _end_block(building, blocks, elements)
    if name == _BR and is_shown and building.pieces > building.block_start:
        _add_piece(building, pieces, BREAK, token)


@njit(nogil=True)
def _merge_words(building: Any, elements: np.ndarray, place: int, words: int) -> None:
    """Add the words of an `html` or `body` tag to those of the one such element that a page has."""
    more = words & ~(LEFT_OUT | COMMENTS)  # style sheets hide a page until its scripts show it
    building.stack[place, BITS] |= more
    element = building.stack[place, PLACE]
    if element >= 0:
        elements[WORDS, element] |= more


@njit(nogil=True, inline="always")
def _close_before(building: Any, blocks: np.ndarray, elements: np.ndarray, table: np.ndarray, row: int) -> bool:
    """Close what the start tag of the element in `row` ends; whether the tag still opens an element."""
    stack = building.stack
    if building.roles[IS_FOREIGN] and table[row, CLASS] & SPECIAL & ~SCOPE:  # an element of HTML ends what is foreign to it
        foreign = outer_foreign(stack, building.size)
        if foreign >= 0:
            _close(building, blocks, elements, foreign)
    if not table[row, CLOSES]:
        return True
    first = max(building.size - 1, 2) if table[row, KIND] & INNERMOST else 2
    index = outermost(stack, building.size, first, table[row, CLOSES], table[row, STOPS])
    if index >= 0:
        _close(building, blocks, elements, index)
    return index < 0 or not table[row, KIND] & TOGGLE


@njit(nogil=True)
def _is_left_out(properties: int, name: int, bits: int, words: int, is_whole: bool) -> bool:
    """Whether an element gives no text: by its name, or, unless the whole page is read, by its attributes."""
    if properties & WITHOUT_TEXT:
        return True
    if is_whole:
        return False
    return bool(properties & LANDMARK or bits & HIDDEN or words & LEFT_OUT or (words & COMMENTS and name != _SPAN))


@njit(nogil=True, inline="always")
def _take_start_tag(
    building: Any,
    pieces: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    table: np.ndarray,
    token: int,
    name: int,
    bits: int,
    words: int,
    is_whole: bool,
) -> None:
    """Close what the start tag ends, end the block or add the space that the element brings, and open the element."""
    stack = building.stack
    row = row_of(table, name)
    kind, properties = table[row, KIND], table[row, OWN_PROPERTIES]
    if kind & ONCE:
        if name in (_HTML, _BODY):
            _merge_words(building, elements, 0 if name == _HTML else 1, words)
        return
    if kind & IN_TABLE and outermost(stack, building.size, 2, TABLE, TABLE) < 0:
        return
    is_left_out = _is_left_out(properties, name, bits, words, is_whole)
    opens = _close_before(building, blocks, elements, table, row)
    if not is_left_out and building.left_out_from >= building.size:
        if opens and not properties & INLINE:
            _end_block(building, blocks, elements)
        if building.pieces > building.block_start and (name == _BR or (opens and properties & SPACED)):
            _add_piece(building, pieces, BREAK if name == _BR else CELL, token)
    if opens and not kind & VOID and building.size < MAX_DEPTH:
        _open(building, table, row, name, bits, words, is_left_out)


@njit(nogil=True, inline="always")
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
