"""What a start tag shows, by its own attributes and the tokens around it.

Most elements are decided by name: a script gives no text, a paragraph does. The others are here: buttons that are headings,
images that are characters, formulas that a page holds twice, line numbers, tables that are code or data, and elements that HTML
does not know.

Each search ahead is bounded, so that the pass stays linear. kinds, names, words: those of all tokens; token: the start tag.
"""

from typing import Any

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import CELL, CLASS, DIVISION, ROWS, TABLE, P, pack_name
from pipeline.extract.html.open_elements import (
    CODE_TEXT,
    HEADING,
    INLINE,
    IS_ACCORDION,
    IS_FOREIGN,
    LANDMARK,
    PROPERTIES,
    SPACED,
    UNKNOWN,
    WITHOUT_TEXT,
    row_of,
)
from pipeline.extract.html.tokens import END, HIDDEN, NOSCRIPT, OPENS_A_PART, START
from pipeline.extract.main_text.class_names import (
    ACCORDION,
    CHARACTERS,
    COLLAPSE,
    COMMENTS,
    DISPLAYED,
    FORMULA_AGAIN,
    HIDING_STYLE,
    LEFT_OUT,
    LINE_NUMBERS,
)
from pipeline.extract.main_text.rendering import MARK, PLAIN
from pipeline.extract.main_text.utf8_letters import is_blank

OWN_PROPERTIES, OWN_TAG = range(6, 8)  # columns of the table of elements, after those of `element_table`
MAY_LEAVE_OUT = LEFT_OUT | COMMENTS | LINE_NUMBERS | FORMULA_AGAIN  # words without which `is_left_out` need not be asked
NOTHING = -1  # an image shows neither text nor mark
_ANNOTATION, _BUTTON, _CODE, _MATH, _PRE, _SPAN = map(pack_name, ("annotation", "button", "code", "math", "pre", "span"))
# An element of unknown name is a word of a sentence, or a part of a page. One longer than this is a part.
_LONGEST_WORD = 200
# Of MathML; Wikipedia's longest formulas have about 1,000 tags.
_LONGEST_FORMULA = 4_000
# Tokens from a table to the code in its first row: rows, row, number, text, their ends and white space; from a card to its body;
# and of a button.
_NEXT = 16
# Tokens of a row, and bytes of the texts of a cell: 100 kana. Longer cells are columns of prose.
_LONGEST_ROW, _LONGEST_CELL = 400, 300
# Bytes of the text of an image within a sentence: ten kana, or a formula of one line. Longer ones describe pictures.
_LONGEST_CHARACTER = 30


@njit(nogil=True)
def is_left_out(
    building: Any,
    kinds: np.ndarray,
    names: np.ndarray,
    token: int,
    properties: int,
    bits: int,
    words: int,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    is_whole: bool,
) -> bool:
    """Whether an element gives no text: by its name, or, unless the whole page is read, by its attributes."""
    name = names[token]
    if properties & WITHOUT_TEXT:
        if name == _ANNOTATION:
            return not (building.formula_is_tex and words & CHARACTERS)
        if name != _BUTTON or not (_is_heading(building) or bits & OPENS_A_PART):
            return True
        in_accordion = words & ACCORDION or building.roles[IS_ACCORDION]
        if not (in_accordion or _is_heading(building) or _asks(kinds, names, token, characters, starts, ends)):
            return True
    if words & FORMULA_AGAIN and token >= 2 and kinds[token - 2] == END and names[token - 2] == _MATH:
        return True
    if is_whole:
        return False
    if words & LEFT_OUT and not (words & HIDING_STYLE and (words & ACCORDION or building.roles[IS_ACCORDION])):
        return True
    if words & LINE_NUMBERS and not properties & CODE_TEXT and not _code_follows(kinds, names, token):
        return True
    return bool(properties & LANDMARK or (bits & HIDDEN and not words & COLLAPSE) or (words & COMMENTS and name != _SPAN))


@njit(nogil=True)
def _is_heading(building: Any) -> bool:
    """Whether a heading begins with the button. Later buttons in headings edit or copy."""
    holder = building.size - 1
    while building.stack[holder, PROPERTIES] & INLINE:
        holder -= 1
    return bool(building.stack[holder, PROPERTIES] & HEADING and building.pieces == building.block_start)


@njit(nogil=True)
def _asks(kinds: np.ndarray, names: np.ndarray, token: int, characters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether a text in the button ends as a question or sentence does: ? ？ 。 か. Other buttons that open a part of the page
    open its menu."""
    for later in range(token + 1, min(token + _NEXT, len(kinds))):
        if kinds[later] == END and names[later] == names[token]:
            break
        end = ends[later]
        while end > starts[later] and characters[end - 1] <= 0x20:
            end -= 1
        if kinds[later] > NOSCRIPT or end - starts[later] < 3:
            continue
        last = characters[end - 3] << 16 | characters[end - 2] << 8 | characters[end - 1]
        if last & 0xFF == 0x3F or last in (0xEFBC9F, 0xE38082, 0xE3818B):
            return True
    return False


@njit(nogil=True)
def _code_follows(kinds: np.ndarray, names: np.ndarray, token: int) -> bool:
    """Whether code begins at once in the element, or after white space."""
    for later in range(token + 1, min(token + 3, len(kinds))):
        if kinds[later] == START:
            return names[later] in (_PRE, _CODE)
    return False


@njit(nogil=True)
def properties_here(
    building: Any, kinds: np.ndarray, names: np.ndarray, token: int, table: np.ndarray, row: int, words: int
) -> int:
    """The properties of an element's name (`table[row]`), changed where it is: a formula or element of unknown name that is
    displayed as a block or holds one ends a line, and the paragraph in a cell of data ends none."""
    properties, own_class = int(table[row, OWN_PROPERTIES]), table[row, CLASS]
    if (properties & UNKNOWN or names[token] == _MATH) and not building.roles[IS_FOREIGN]:
        is_block = words & DISPLAYED or (properties & UNKNOWN and _holds_a_block(kinds, names, token, table))
        return properties & ~INLINE if is_block else properties
    in_cell = building.stack[building.size - 1, CLASS] & CELL
    if own_class & (P | DIVISION) and in_cell and building.row_of_data == building.size - 2:
        return properties | INLINE | SPACED
    return properties


@njit(nogil=True)
def _holds_a_block(kinds: np.ndarray, names: np.ndarray, token: int, table: np.ndarray) -> bool:
    """Whether an element of unknown name holds an element that ends a line, or is too long for a word. One that is not closed
    where the element around it ends holds none: a stray tag, or text such as `vector<int>`."""
    depth = 0
    for later in range(token + 1, min(token + _LONGEST_WORD, len(kinds))):
        if kinds[later] <= NOSCRIPT:
            continue
        if names[later] == names[token]:
            if kinds[later] == END and not depth:
                return False
            depth += 1 if kinds[later] == START else -1
        elif not table[row_of(table, names[later]), OWN_PROPERTIES] & (INLINE | WITHOUT_TEXT):
            return bool(kinds[later] == START)
    return token + _LONGEST_WORD <= len(kinds)


@njit(nogil=True)
def is_tex(kinds: np.ndarray, names: np.ndarray, words: np.ndarray, token: int) -> bool:
    """Whether the formula that a `math` tag begins is annotated with its TeX."""
    for later in range(token + 1, min(token + _LONGEST_FORMULA, len(kinds))):
        if kinds[later] == END and names[later] == _MATH:
            return False
        if kinds[later] == START and names[later] == _ANNOTATION and words[later] & CHARACTERS:
            return True
    return False


@njit(nogil=True)
def leads_to(kinds: np.ndarray, words: np.ndarray, token: int, wanted: int) -> bool:
    """Whether one of the next elements has one of the `wanted` words: a line of code in the first row of a table, or what a click
    shows in a card."""
    for later in range(token + 1, min(token + _NEXT, len(kinds))):  # noqa: SIM110  compiled
        if kinds[later] == START and words[later] & wanted:
            return True
    return False


@njit(nogil=True)
def is_row_of_data(
    kinds: np.ndarray,
    names: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    token: int,
    table: np.ndarray,
    follows_one: bool,
) -> bool:
    """Whether the table row has two cells with text or more, each with few letters, at most one paragraph and no other element
    that ends a line, and another such row before it (`follows_one`) or a row after it. Other rows lay out the page."""
    cells = paragraphs = size = 0
    is_filled = False
    for later in range(token + 1, min(token + _LONGEST_ROW, len(kinds))):
        if kinds[later] <= NOSCRIPT:
            size += ends[later] - starts[later]
            if size > _LONGEST_CELL:
                return False
            if not is_filled and not is_blank(characters, starts[later], ends[later]):
                cells, is_filled = cells + 1, True
            continue
        row = row_of(table, names[later])
        if names[later] == names[token]:
            return cells > 1 and (kinds[later] == START or follows_one or _row_follows(kinds, names, later, names[token]))
        if table[row, CLASS] & (TABLE | ROWS):
            return kinds[later] == END and cells > 1 and follows_one
        if kinds[later] == END:
            continue
        if table[row, CLASS] & CELL:
            paragraphs, size, is_filled = 0, 0, False
        elif not table[row, OWN_PROPERTIES] & (INLINE | WITHOUT_TEXT):
            paragraphs += 1
            if paragraphs > 1 or not table[row, CLASS] & (P | DIVISION):
                return False
    return False


@njit(nogil=True)
def _row_follows(kinds: np.ndarray, names: np.ndarray, token: int, name: int) -> bool:
    """Whether the next tag begins a row, or after the end of a group of rows one of the next two."""
    tags = 0
    for later in range(token + 1, min(token + 6, len(kinds))):
        if kinds[later] == START:
            tags += 1
            if names[later] == name:
                return True
            if tags == 2:
                break
    return False


@njit(nogil=True)
def text_of_image(
    kinds: np.ndarray,
    token: int,
    words: int,
    last_text: int,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> int:
    """The kind of piece that an image is: its `alt` as text, a MARK for a character without `alt`, or NOTHING.

    An image is a character by its class, if its `alt` is an emoji, or if it parts a sentence: Japanese text comes before it
    without a space or the end of a sentence, and hiragana or punctuation after it. last_text: the token of the text before it in
    its block, -1 for none.
    """
    start, end = starts[token], ends[token]
    is_empty = is_blank(characters, start, end)
    if words & CHARACTERS:
        return MARK if is_empty else PLAIN
    if is_empty or end - start > _LONGEST_CHARACTER:
        return NOTHING
    if characters[start] == 0xF0:  # leads emoji and rare Chinese characters
        return PLAIN
    if last_text < 0 or last_text != token - 1 or token + 1 >= len(kinds) or kinds[token + 1] > NOSCRIPT:
        return NOTHING
    return PLAIN if _goes_on(characters, starts, ends, token) else NOTHING


@njit(nogil=True)
def _goes_on(characters: np.ndarray, starts: np.ndarray, ends: np.ndarray, token: int) -> bool:
    """Whether the text before `token` ends within a sentence, with a character of Japanese and not with the `alt` itself, and the
    text after it goes on with hiragana (U+3041 to U+307F, U+3080 to U+309F) or one of 、。」』."""
    before, after = ends[token - 1], starts[token + 1]
    size = ends[token] - starts[token]
    if before - starts[token - 1] >= size:
        repeats = True
        for index in range(size):
            repeats &= characters[before - size + index] == characters[starts[token] + index]
        if repeats:
            return False
    if before - starts[token - 1] < 3 or ends[token + 1] - after < 3:
        return False
    lead, middle, last = characters[before - 3], characters[before - 2], characters[before - 1]
    is_japanese = 0xE3 <= lead <= 0xE9 and not (lead == 0xE3 and middle == 0x80 and last not in (0x81, 0x8C, 0x8D))
    lead, middle, last = characters[after], characters[after + 1], characters[after + 2]
    is_hiragana = lead == 0xE3 and (middle == 0x81 or (middle == 0x82 and last <= 0x9F))
    is_punctuation = lead == 0xE3 and middle == 0x80 and last in (0x81, 0x82, 0x8D, 0x8F)
    return is_japanese and (is_hiragana or is_punctuation)
