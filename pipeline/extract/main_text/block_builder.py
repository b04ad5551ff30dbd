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

Code is one block: elements that start a line elsewhere are its lines.
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
    ROW,
    ROWS,
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
    IS_ACCORDION,
    IS_CODE,
    IS_FOREIGN,
    IS_TEX,
    LINE_OF_CODE,
    NEXT_CELL,
    NO_ROLE,
    PLACE,
    PROPERTIES,
    ROLE,
    ROLES,
    SPACED,
    TAG,
    UNKNOWN,
    WITHOUT_TEXT,
    close,
    ends_a_block,
    ends_lines_of_code,
    innermost,
    outer_foreign,
    outermost,
    row_of,
)
from pipeline.extract.html.references import Texts
from pipeline.extract.html.tokens import HAS_TARGET, NOSCRIPT, SELF_CLOSING, START, TITLE, Tokens
from pipeline.extract.main_text.class_names import (
    ACCORDION,
    CODE_CLASS,
    CODE_LINE,
    COLLAPSE,
    COMMENTS,
    LEFT_OUT,
    OF_THE_TREES,
    WORD_KINDS,
)
from pipeline.extract.main_text.rendering import BREAK, CELL, GAP, LINE, LINK, PLAIN
from pipeline.extract.main_text.shown import (
    NOTHING,
    OWN_PROPERTIES,
    OWN_TAG,
    holds_a_block,
    is_left_out,
    is_table_of_code,
    is_tex,
    text_of_image,
)
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
_BR, _BODY, _HTML, _IMG, _MATH, _TABLE = map(pack_name, ("br", "body", "html", "img", "math", "table"))
_KEPT_WORDS = OF_THE_TREES | ACCORDION | COLLAPSE
# Kinds of words that say nothing within an accordion: of its cards, and of what a click shows.
_OF_ACCORDIONS = sum(1 << list(WORD_KINDS).index(kind) for kind in ("related", "hidden"))

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
        ("formula_is_tex", np.int64),  # whether of the formula that is open only its TeX is shown
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
            _add_text(building, pieces, token, kinds, characters, starts[token], ends[token])
        elif kind == START:
            _take_start_tag(
                building,
                pieces,
                blocks,
                elements,
                table,
                token,
                kinds,
                names,
                bits[token],
                words,
                characters,
                starts,
                ends,
                is_whole,
            )
        else:
            is_empty = token > 0 and kinds[token - 1] == START and names[token - 1] == names[token]
            code_words = words[token - 1] if is_empty else 0
            _take_end_tag(building, pieces, blocks, elements, table, token, names[token], is_empty, code_words)
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
def _add_text(
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
            _add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)
    elif roles[IS_CODE]:
        if not (_is_between_lines(building, pieces, token) and is_blank(characters, start, end)):
            _add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)
    elif building.pieces > building.block_start or not is_blank(characters, start, end):
        _add_piece(building, pieces, LINK if roles[A_LINK] else PLAIN, token)


@njit(nogil=True)
def _is_between_lines(building: Any, pieces: np.ndarray, token: int) -> bool:
    """Whether the text `token` in code comes after a line that is an element, or before the first cell of a row: the source's
    own white space."""
    innermost_class = building.stack[building.size - 1, CLASS]
    if innermost_class & (TABLE | ROWS | ROW):
        return True
    last = building.pieces - 1
    return last >= building.block_start and pieces[PIECE_KIND, last] == LINE and pieces[PIECE_TOKEN, last] < 0


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
def _close(building: Any, pieces: np.ndarray, blocks: np.ndarray, elements: np.ndarray, index: int) -> None:
    """Close the open element at `index`; before that, end the block, or the line of code, if that ends a line."""
    stack = building.stack
    size, left_out = building.size, building.left_out_from
    shown = min(left_out, size)
    is_formatting = stack[index, KIND] & FORMATTING
    if not is_formatting and ends_a_block(stack, shown, index):
        if building.roles[IS_CODE] and ends_lines_of_code(stack, shown, index, building.roles[IS_CODE]):
            _end_line_of_code(building, pieces, -1)
        else:
            _end_block(building, blocks, elements)
    if index <= left_out < size:
        # a formatting element around what is left out closes alone, and what is left out moves outwards
        building.left_out_from = left_out - 1 if is_formatting and index < left_out else MAX_DEPTH
    building.size = close(stack, size, shown, index, building.roles, building.open_names)


@njit(nogil=True)
def _end_line_of_code(building: Any, pieces: np.ndarray, token: int) -> None:
    """End the line, if the block has one; `token` is the start tag that does so, -1 if an element ends."""
    if building.pieces > building.block_start:
        _add_piece(building, pieces, LINE, token)


@njit(nogil=True, inline="always")
def _take_end_tag(
    building: Any,
    pieces: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    table: np.ndarray,
    token: int,
    name: int,
    is_empty: bool,
    words: int,
) -> None:
    """Close the element that the end tag names; `</p>` without one ends the block, and `</br>` is a line break. In code, an
    element without content (`is_empty`) is an empty line; `words` are those of that element."""
    row = row_of(table, name)
    index = -1
    if building.open_names[name & 0xFF]:
        index = innermost(building.stack, building.size, 2, name, table[row, END_STOPS])
    is_shown = building.left_out_from >= building.size
    if is_empty and is_shown and building.roles[IS_CODE] and building.pieces > building.block_start:
        if table[row, OWN_PROPERTIES] & LINE_OF_CODE or words & CODE_LINE:
            _add_piece(building, pieces, BREAK, token)
    if index >= 0:
        _close(building, pieces, blocks, elements, index)
        is_shown = building.left_out_from >= building.size
    if index < 0 and table[row, CLASS] == P and is_shown:  # stands for an empty one
        _end_block(building, blocks, elements)
    if name == _BR and is_shown and building.pieces > building.block_start:
        _add_piece(building, pieces, BREAK, token)


@njit(nogil=True)
def _merge_words(building: Any, elements: np.ndarray, place: int, words: int) -> None:
    """Add the words of an `html` or `body` tag to those of the one such element that a page has."""
    more = words & OF_THE_TREES & ~(LEFT_OUT | COMMENTS)  # style sheets hide a page until its scripts show it
    building.stack[place, BITS] |= more
    element = building.stack[place, PLACE]
    if element >= 0:
        elements[WORDS, element] |= more


@njit(nogil=True, inline="always")
def _close_before(
    building: Any, pieces: np.ndarray, blocks: np.ndarray, elements: np.ndarray, table: np.ndarray, row: int
) -> bool:
    """Close what the start tag of the element in `row` ends; whether the tag still opens an element."""
    stack = building.stack
    if building.roles[IS_FOREIGN] and table[row, CLASS] & SPECIAL & ~SCOPE:  # an element of HTML ends what is foreign to it
        foreign = outer_foreign(stack, building.size)
        if foreign >= 0:
            _close(building, pieces, blocks, elements, foreign)
    if not table[row, CLOSES]:
        return True
    first = max(building.size - 1, 2) if table[row, KIND] & INNERMOST else 2
    index = outermost(stack, building.size, first, table[row, CLOSES], table[row, STOPS])
    if index >= 0:
        _close(building, pieces, blocks, elements, index)
    return index < 0 or not table[row, KIND] & TOGGLE


@njit(nogil=True, inline="always")
def _take_start_tag(
    building: Any,
    pieces: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    table: np.ndarray,
    token: int,
    kinds: np.ndarray,
    names: np.ndarray,
    bits: int,
    all_words: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    is_whole: bool,
) -> None:
    """Close what the start tag ends, end the block or add the space that the element brings, and open the element."""
    stack, roles = building.stack, building.roles
    name, words = names[token], all_words[token]
    row = row_of(table, name)
    kind, properties = table[row, KIND], table[row, OWN_PROPERTIES]
    if kind & ONCE:
        if name in (_HTML, _BODY):
            _merge_words(building, elements, 0 if name == _HTML else 1, words)
        return
    if kind & IN_TABLE and outermost(stack, building.size, 2, TABLE, TABLE) < 0:
        return
    if properties & UNKNOWN and not roles[IS_FOREIGN] and holds_a_block(kinds, names, token, table):
        properties &= ~INLINE
    opens = _close_before(building, pieces, blocks, elements, table, row)
    is_hidden = is_left_out(building, kinds, names, token, properties, bits, words, is_whole)
    if not is_hidden and building.left_out_from >= building.size:
        if opens and not properties & INLINE:
            if roles[IS_CODE] and properties & LINE_OF_CODE:
                _end_line_of_code(building, pieces, token)
            else:
                _end_block(building, blocks, elements)
        if name == _IMG:
            last_text = pieces[PIECE_TOKEN, building.pieces - 1] if building.pieces > building.block_start else -1
            image = text_of_image(building, kinds, token, words, last_text, characters, starts, ends)
            if image != NOTHING:
                _add_piece(building, pieces, LINK if roles[A_LINK] and image == PLAIN else image, token)
        elif building.pieces > building.block_start:
            if name == _BR:
                _add_piece(building, pieces, BREAK, token)
            elif opens and properties & (SPACED | NEXT_CELL):
                _add_piece(building, pieces, GAP if properties & SPACED else CELL, token)
        if name == _MATH and not roles[IS_FOREIGN]:
            building.formula_is_tex = is_tex(kinds, names, all_words, token)
    if opens and not kind & VOID and building.size < MAX_DEPTH:
        is_code = properties & CODE_TEXT or (not properties & INLINE and words & CODE_CLASS)
        if name == _TABLE and not roles[IS_CODE]:
            is_code = is_table_of_code(kinds, all_words, token)
        _open(building, table, row, name, bits, properties, words, is_code, is_hidden)


@njit(nogil=True, inline="always")
def _open(
    building: Any, table: np.ndarray, row: int, name: int, bits: int, properties: int, words: int, is_code: bool, is_hidden: bool
) -> None:
    """Open an element, unless it is foreign to HTML and closes itself."""
    stack, roles = building.stack, building.roles
    size, own_class = building.size, table[row, CLASS]
    is_foreign = own_class & FOREIGN
    if bits & SELF_CLOSING and (is_foreign or roles[IS_FOREIGN]):
        return
    role = IS_FOREIGN if is_foreign else NO_ROLE
    if building.left_out_from >= size:
        if is_hidden:
            building.left_out_from = size
        elif own_class & ANCHOR and bits & HAS_TARGET:
            role = A_LINK
        elif is_code:
            role = IS_CODE
        elif properties & WITHOUT_TEXT and roles[IS_FOREIGN]:
            role = IS_TEX  # the one such element that is shown
        elif words & ACCORDION and not properties & INLINE:
            role = IS_ACCORDION
    if role == IS_ACCORDION or roles[IS_ACCORDION]:
        words &= ~_OF_ACCORDIONS
    stack[size, NAME], stack[size, KIND], stack[size, CLASS] = name, table[row, KIND], own_class
    stack[size, PROPERTIES], stack[size, TAG] = properties, table[row, OWN_TAG]
    stack[size, BITS], stack[size, PLACE], stack[size, ROLE] = words & _KEPT_WORDS, -1, role
    roles[role] += 1
    building.open_names[name & 0xFF] += 1
    building.size = size + 1
