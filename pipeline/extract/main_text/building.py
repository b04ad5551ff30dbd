"""The blocks of a page while they are built: what the pass over its tokens keeps, and adding texts and ends to them.

The functions that read tags are in `block_builder`.
"""

from typing import Any

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import CLASS, ROW, ROWS, TABLE
from pipeline.extract.html.open_elements import (
    A_LINK,
    BITS,
    COLUMNS,
    INLINE,
    IS_CODE,
    IS_FOREIGN,
    IS_TEX,
    PLACE,
    PROPERTIES,
    ROLE,
    ROLES,
    TAG,
    WITHOUT_TEXT,
)
from pipeline.extract.html.tokens import NOSCRIPT, TITLE
from pipeline.extract.main_text.rendering import LINE, LINK, PLAIN
from pipeline.extract.main_text.utf8_letters import is_blank, letters_in

# Real pages nest at most 72 deep (12,473 pages). A tag may look at all open elements: markup made for that costs 2 s per 10 MB.
MAX_DEPTH = 256
# Judging a block takes microseconds and a kilobyte or two, and 10 MB of markup can hold 2.5 million blocks of one letter. The
# largest of 7,651 real pages has 1,660.
MOST_BLOCKS = 100_000
# Rows of the tables that the pass writes, a column per piece, block or element.
PIECE_KIND, PIECE_TOKEN = range(2)
HOLDER, IS_CODE_BLOCK, PIECES_END = range(3)  # the element around the block, and the number of its last piece plus 1
PARENT, ELEMENT_TAG, WORDS = range(3)

# State of the pass. A record, because compiled code passes it as one pointer: with a named tuple of arrays, whose references are
# counted at every call, the pass took five times as long. For the same reason functions with one caller are inlined.
BUILDING = np.dtype(
    [
        ("stack", np.int64, (MAX_DEPTH, COLUMNS)),
        ("roles", np.int64, ROLES),  # how many open elements have each role
        ("open_names", np.int64, 256),  # how many are open by the last letter of their names, to save looking for others
        ("size", np.int64),  # of the stack
        ("left_out_from", np.int64),  # where on the stack the element is in which nothing is shown, MAX_DEPTH for none
        ("block_start", np.int64),  # the first piece of the block that is being built
        ("pieces", np.int64),
        ("blocks", np.int64),
        ("elements", np.int64),
        ("title", np.int64),  # the token, -1 for none
        ("letters_left_out", np.int64),
        ("row_of_data", np.int64),  # where on the stack the last row is if it is one of data, else -1
        ("formula_is_tex", np.int64),  # whether of the formula that is open only its TeX is shown
    ]
)


@njit(nogil=True)
def add_piece(building: Any, pieces: np.ndarray, kind: int, token: int) -> None:
    """Add a piece to the block."""
    pieces[PIECE_KIND, building.pieces], pieces[PIECE_TOKEN, building.pieces] = kind, token
    building.pieces += 1


@njit(nogil=True, inline="always")
def add_text(
    building: Any, pieces: np.ndarray, token: int, kinds: np.ndarray, characters: np.ndarray, start: int, end: int
) -> None:
    """Add a text to the block, or count its letters where none is shown; white space begins no block outside of code."""
    stack, roles = building.stack, building.roles
    left_out = building.left_out_from
    kind = kinds[token]
    if kind == TITLE:
        if building.title < 0 and not roles[IS_FOREIGN]:
            building.title = token
    elif kind == NOSCRIPT:
        building.letters_left_out += letters_in(characters, start, end, True)
    elif left_out < building.size:
        if not stack[left_out, PROPERTIES] & WITHOUT_TEXT:
            building.letters_left_out += letters_in(characters, start, end, False)
    elif roles[IS_FOREIGN]:  # a formula, whose white space is not shown
        if not is_blank(characters, start, end) and (roles[IS_TEX] or not building.formula_is_tex):
            add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)
    elif roles[IS_CODE]:
        if not (_is_between_lines(building, pieces) and is_blank(characters, start, end)):
            add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)
    elif building.pieces > building.block_start or not is_blank(characters, start, end):
        add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)


@njit(nogil=True)
def _is_between_lines(building: Any, pieces: np.ndarray) -> bool:
    """Whether a text in code comes after a line that is an element, or before the first cell of a row: the source's
    own white space."""
    innermost_class = building.stack[building.size - 1, CLASS]
    if innermost_class & (TABLE | ROWS | ROW):
        return True
    last = building.pieces - 1
    return bool(last >= building.block_start and pieces[PIECE_KIND, last] == LINE and pieces[PIECE_TOKEN, last] < 0)


@njit(nogil=True)
def end_block(building: Any, blocks: np.ndarray, elements: np.ndarray) -> None:
    """End the block that is being built, if it has a piece.

    Its holder is the innermost open element that starts a line and shows text; what is around that and not yet among the elements
    is written down, the outermost first.
    """
    stack = building.stack
    if building.pieces == building.block_start:
        return
    holder = min(building.left_out_from, building.size) - 1
    if building.roles[IS_CODE]:
        for index in range(holder, 1, -1):
            if stack[index, ROLE] == IS_CODE:
                holder = index  # the outermost one
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
def end_line_of_code(building: Any, pieces: np.ndarray, token: int) -> None:
    """End the line, if the block has one; `token` is the start tag that does so, -1 if an element ends."""
    if building.pieces > building.block_start:
        add_piece(building, pieces, LINE, token)
