"""Opening an element: the role that it has while it is open, and the words by which the trees know it."""

from typing import Any

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import ANCHOR, CLASS, FOREIGN, KIND, NAME, ROW, TABLE
from pipeline.extract.html.open_elements import (
    A_LINK,
    BITS,
    CODE_TEXT,
    INLINE,
    IS_ACCORDION,
    IS_CODE,
    IS_FOREIGN,
    IS_TEX,
    NO_ROLE,
    PLACE,
    PROPERTIES,
    ROLE,
    TAG,
    WITHOUT_TEXT,
)
from pipeline.extract.html.tokens import HAS_TARGET, SELF_CLOSING
from pipeline.extract.main_text.class_names import ACCORDION, CODE_CLASS, CODE_LINE, COLLAPSE, OF_THE_TREES, WORD_KINDS
from pipeline.extract.main_text.shown import OWN_TAG, is_row_of_data, leads_to

_KEPT_WORDS = OF_THE_TREES | ACCORDION | COLLAPSE
# Kinds of words that say nothing within an accordion: of its cards, and of what a click shows.
_RELATED = 1 << list(WORD_KINDS).index("related")
_OF_ACCORDIONS = _RELATED | 1 << list(WORD_KINDS).index("hidden")


@njit(nogil=True, inline="always")
def open_element(
    building: Any,
    table: np.ndarray,
    row: int,
    token: int,
    kinds: np.ndarray,
    names: np.ndarray,
    bits: int,
    properties: int,
    all_words: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    is_hidden: bool,
) -> None:
    """Open the element of the start tag `token`, unless it is foreign to HTML and closes itself."""
    stack, roles = building.stack, building.roles
    size, own_class = building.size, table[row, CLASS]
    name, words = names[token], all_words[token]
    if own_class & ROW:
        follows_one = building.row_of_data >= 0
        is_data = not roles[IS_CODE] and is_row_of_data(kinds, names, characters, starts, ends, token, table, follows_one)
        building.row_of_data = size if is_data else -1
    is_foreign = own_class & FOREIGN
    if bits & SELF_CLOSING and (is_foreign or roles[IS_FOREIGN]):
        return
    role = IS_FOREIGN if is_foreign else NO_ROLE
    if building.left_out_from >= size:
        if is_hidden:
            building.left_out_from = size
        elif own_class & ANCHOR and bits & HAS_TARGET:
            role = A_LINK
        elif (properties & CODE_TEXT or words & CODE_CLASS or own_class & TABLE) and _is_code(
            building, kinds, all_words, token, own_class, properties
        ):
            role = IS_CODE
        elif properties & WITHOUT_TEXT and roles[IS_FOREIGN]:
            role = IS_TEX  # the one such element that is shown
        elif words & ACCORDION and not properties & INLINE:
            role = IS_ACCORDION
    if role == IS_ACCORDION or roles[IS_ACCORDION] or (words & _RELATED and leads_to(kinds, all_words, token, COLLAPSE)):
        words &= ~_OF_ACCORDIONS
    stack[size, NAME], stack[size, KIND], stack[size, CLASS] = name, table[row, KIND], own_class
    stack[size, PROPERTIES], stack[size, TAG] = properties, table[row, OWN_TAG]
    stack[size, BITS], stack[size, PLACE], stack[size, ROLE] = words & _KEPT_WORDS, -1, role
    roles[role] += 1
    building.open_names[name & 0xFF] += 1
    building.size = size + 1


@njit(nogil=True)
def _is_code(building: Any, kinds: np.ndarray, words: np.ndarray, token: int, own_class: int, properties: int) -> bool:
    """Whether an element is code: by its name, by its class or style unless it is part of a line, or a table of lines of code."""
    if properties & CODE_TEXT or (not properties & INLINE and words[token] & CODE_CLASS):
        return True
    return bool(own_class & TABLE and not building.roles[IS_CODE] and leads_to(kinds, words, token, CODE_LINE))
