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
    CLASS,
    CLOSES,
    DIVISION,
    END_STOPS,
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
    INLINE,
    IS_CODE,
    IS_FOREIGN,
    LANDMARK,
    LINE_OF_CODE,
    NEXT_CELL,
    PLACE,
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
from pipeline.extract.html.tokens import HIDDEN, NOSCRIPT, START, Tokens
from pipeline.extract.main_text.building import (
    BUILDING,
    MAX_DEPTH,
    MOST_BLOCKS,
    PIECE_TOKEN,
    WORDS,
    add_piece,
    add_text,
    end_block,
    end_line_of_code,
)
from pipeline.extract.main_text.class_names import (
    CODE_LINE,
    COMMENTS,
    LEFT_OUT,
    OF_THE_TREES,
)
from pipeline.extract.main_text.opening import open_element
from pipeline.extract.main_text.rendering import BREAK, CELL, GAP, LINK, PLAIN
from pipeline.extract.main_text.shown import (
    MAY_LEAVE_OUT,
    NOTHING,
    OWN_PROPERTIES,
    OWN_TAG,
    is_left_out,
    is_tex,
    properties_here,
    text_of_image,
)

_BR, _BODY, _HTML, _IMG, _MATH, _TABLE = map(pack_name, ("br", "body", "html", "img", "math", "table"))


class Blocks(NamedTuple):
    """`title`: the token that is the title, -1 for none. The tables are int32, with the rows that `building` names."""

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
            add_text(building, pieces, token, kinds, characters, starts[token], ends[token])
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
        end_block(building, blocks, elements)
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
    building.size, building.left_out_from, building.title, building.row_of_data = 2, MAX_DEPTH, -1, -1


@njit(nogil=True)
def _close(building: Any, pieces: np.ndarray, blocks: np.ndarray, elements: np.ndarray, index: int) -> None:
    """Close the open element at `index`; before that, end the block, or the line of code, if that ends a line."""
    stack = building.stack
    size, left_out = building.size, building.left_out_from
    shown = min(left_out, size)
    is_formatting = stack[index, KIND] & FORMATTING
    if not is_formatting and ends_a_block(stack, shown, index):
        if building.roles[IS_CODE] and ends_lines_of_code(stack, shown, index, building.roles[IS_CODE]):
            end_line_of_code(building, pieces, -1)
        else:
            end_block(building, blocks, elements)
    if index <= left_out < size:
        # a formatting element around what is left out closes alone, and what is left out moves outwards
        building.left_out_from = left_out - 1 if is_formatting and index < left_out else MAX_DEPTH
    building.size = close(stack, size, shown, index, building.roles, building.open_names)


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
    is_empty_line = is_empty and (table[row, OWN_PROPERTIES] & LINE_OF_CODE or words & CODE_LINE)
    if is_empty_line and is_shown and building.roles[IS_CODE] and building.pieces > building.block_start:
        add_piece(building, pieces, BREAK, token)
    if index >= 0:
        _close(building, pieces, blocks, elements, index)
        is_shown = building.left_out_from >= building.size
    if index < 0 and table[row, CLASS] == P and is_shown:  # stands for an empty one
        end_block(building, blocks, elements)
    if name == _BR and is_shown and building.pieces > building.block_start:
        add_piece(building, pieces, BREAK, token)


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
def _take_start_tag(  # noqa: C901  one step per line of its description
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
    """Read a start tag.

    merge a second `html` or `body`; ignore a row outside of a table
    close what the tag ends
    unless it is left out: end the block or the line of code; add an image's text, a line break or the space between two cells
    open the element
    """
    roles = building.roles
    name, words = names[token], all_words[token]
    row = row_of(table, name)
    kind = table[row, KIND]
    if kind & ONCE:
        if name in (_HTML, _BODY):
            _merge_words(building, elements, 0 if name == _HTML else 1, words)
        return
    if kind & IN_TABLE and outermost(building.stack, building.size, 2, TABLE, TABLE) < 0:
        return
    if name == _TABLE:
        building.row_of_data = -1
    # a call counts the references to its arrays, so only the few tags that need one make it
    properties = table[row, OWN_PROPERTIES]
    is_paragraph = building.row_of_data >= 0 and table[row, CLASS] & (P | DIVISION)
    if properties & UNKNOWN or name == _MATH or is_paragraph:
        properties = properties_here(building, kinds, names, token, table, row, words)
    opens = _close_before(building, pieces, blocks, elements, table, row)
    is_hidden = False
    if properties & (WITHOUT_TEXT | LANDMARK) or bits & HIDDEN or words & MAY_LEAVE_OUT:
        is_hidden = is_left_out(building, kinds, names, token, properties, bits, words, characters, starts, ends, is_whole)
    if not is_hidden and building.left_out_from >= building.size:
        if opens and not properties & INLINE:
            if roles[IS_CODE] and properties & LINE_OF_CODE:
                end_line_of_code(building, pieces, token)
            else:
                end_block(building, blocks, elements)
        if name == _IMG:
            last_text = pieces[PIECE_TOKEN, building.pieces - 1] if building.pieces > building.block_start else -1
            image = text_of_image(kinds, token, words, last_text, characters, starts, ends)
            if image != NOTHING:
                add_piece(building, pieces, LINK if roles[A_LINK] and image == PLAIN else image, token)
        elif building.pieces > building.block_start:
            if name == _BR:
                add_piece(building, pieces, BREAK, token)
            elif opens and properties & (SPACED | NEXT_CELL):
                add_piece(building, pieces, GAP if properties & SPACED else CELL, token)
        if name == _MATH and not roles[IS_FOREIGN]:
            building.formula_is_tex = is_tex(kinds, names, all_words, token)
    if opens and not kind & VOID and building.size < MAX_DEPTH:
        open_element(building, table, row, token, kinds, names, bits, properties, all_words, characters, starts, ends, is_hidden)
