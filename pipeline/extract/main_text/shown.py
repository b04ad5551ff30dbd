"""What a start tag shows, by its own attributes and the tokens around it.

Most elements are decided by name: a script gives no text, a paragraph does. The others are here: buttons that are headings,
images that are characters, formulas that a page holds twice, line numbers, elements that HTML does not know, tables that are code.

Each search ahead is bounded, so that the pass stays linear. kinds, names, words: those of all tokens; token: the start tag.
"""

from typing import Any

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import pack_name
from pipeline.extract.html.open_elements import (
    CODE_TEXT,
    HEADING,
    INLINE,
    IS_ACCORDION,
    LANDMARK,
    PROPERTIES,
    WITHOUT_TEXT,
    row_of,
)
from pipeline.extract.html.tokens import END, HIDDEN, NOSCRIPT, OPENS_A_PART, START
from pipeline.extract.main_text.class_names import (
    ACCORDION,
    CHARACTERS,
    CODE_LINE,
    COLLAPSE,
    COMMENTS,
    FORMULA_AGAIN,
    HIDING_STYLE,
    LEFT_OUT,
    LINE_NUMBERS,
)
from pipeline.extract.main_text.rendering import MARK, PLAIN
from pipeline.extract.main_text.utf8_letters import is_blank

OWN_PROPERTIES, OWN_TAG = range(6, 8)  # columns of the table of elements, after those of `element_table`
NOTHING = -1  # an image shows neither text nor mark
_ANNOTATION, _BUTTON, _CODE, _MATH, _PRE, _SPAN = map(pack_name, ("annotation", "button", "code", "math", "pre", "span"))
# An element of unknown name is a word of a sentence, or a part of a page. One longer than this is a part.
_LONGEST_WORD = 200
# Of MathML; Wikipedia's longest formulas have about 1,000 tags.
_LONGEST_FORMULA = 4_000
_FIRST_ROW = 12  # tokens from a table to the code in its first row: rows, row, number, text, their ends and white space
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
    is_whole: bool,
) -> bool:
    """Whether an element gives no text: by its name, or, unless the whole page is read, by its attributes."""
    name = names[token]
    if properties & WITHOUT_TEXT and not _is_shown_after_all(building, name, bits, words):
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
def _is_shown_after_all(building: Any, name: int, bits: int, words: int) -> bool:
    """Whether an element whose name gives no text does: TeX in a formula, a button that opens a part of the page, and one with
    which a heading begins. Other buttons in headings edit or copy."""
    if name == _ANNOTATION:
        return bool(building.formula_is_tex and words & CHARACTERS)
    if name != _BUTTON:
        return False
    if bits & OPENS_A_PART:
        return True
    holder = building.size - 1
    while building.stack[holder, PROPERTIES] & INLINE:
        holder -= 1
    return bool(building.stack[holder, PROPERTIES] & HEADING and building.pieces == building.block_start)


@njit(nogil=True)
def _code_follows(kinds: np.ndarray, names: np.ndarray, token: int) -> bool:
    """Whether code begins at once in the element, or after white space."""
    for later in range(token + 1, min(token + 3, len(kinds))):
        if kinds[later] == START:
            return names[later] in (_PRE, _CODE)
    return False


@njit(nogil=True)
def holds_a_block(kinds: np.ndarray, names: np.ndarray, token: int, table: np.ndarray) -> bool:
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
def is_table_of_code(kinds: np.ndarray, words: np.ndarray, token: int) -> bool:
    """Whether the first row of the table is a line of code."""
    for later in range(token + 1, min(token + _FIRST_ROW, len(kinds))):
        if kinds[later] == START and words[later] & CODE_LINE:
            return True
    return False


@njit(nogil=True)
def text_of_image(
    building: Any,
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
    """Whether the text before `token` ends within a sentence, with a character of Japanese, and the text after it goes on with
    hiragana (U+3041 to U+307F, U+3080 to U+309F) or one of 、。」』）."""
    before, after = ends[token - 1], starts[token + 1]
    if before - starts[token - 1] < 3 or ends[token + 1] - after < 3:
        return False
    lead, middle, last = characters[before - 3], characters[before - 2], characters[before - 1]
    is_japanese = 0xE3 <= lead <= 0xE9 and not (lead == 0xE3 and middle == 0x80 and last not in (0x81, 0x8C, 0x8D))
    lead, middle, last = characters[after], characters[after + 1], characters[after + 2]
    is_hiragana = lead == 0xE3 and (middle == 0x81 or (middle == 0x82 and last <= 0x9F))
    is_punctuation = lead == 0xE3 and middle == 0x80 and last in (0x81, 0x82, 0x8D, 0x8F)
    return is_japanese and (is_hiragana or is_punctuation)
