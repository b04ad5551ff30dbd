"""The stack of open elements of an HTML page, outermost first: searches in it, and closing an element.

Each row of the stack is an element, with the columns NAME, KIND and CLASS of `elements` and those below. The first two rows are
`html` and `body`, which nothing closes. All searches go from the innermost element outwards, as in the standard (section
13.2.4.2).
"""

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import CLASS, FOREIGN, FORMATTING, KIND, NAME, NO_REOPENING

# Columns of the stack, after NAME, KIND and CLASS. PLACE: the element's number on the page, -1 until a block in it is complete.
# ROLE: one of the roles below, which the element has while it is open.
PROPERTIES, TAG, BITS, PLACE, ROLE = range(3, 8)
COLUMNS = 8
# Properties of an element's name, as bits, in addition to those of `elements`. WITHOUT_TEXT: never gives text. LANDMARK: gives
# text only if the whole page is read. LINE_OF_CODE: a line in code, a block elsewhere. UNKNOWN: a name that HTML lacks. HEADING:
# what a button in it says is the heading.
WITHOUT_TEXT, LANDMARK, INLINE, CODE_TEXT, HTML_INSIDE, SPACED, NEXT_CELL, LINE_OF_CODE, UNKNOWN, HEADING = (
    1 << bit for bit in range(10)
)
A_LINK, IS_CODE, IS_FOREIGN, IS_TEX, IS_ACCORDION, NO_ROLE = range(6)  # roles
ROLES = NO_ROLE + 1


@njit(nogil=True)
def row_of(table: np.ndarray, name: int) -> int:
    """The row of the element with that packed name in an `element_table`, the last row for names that it lacks."""
    row = name % (len(table) - 1)
    return row if table[row, NAME] == name else len(table) - 1


@njit(nogil=True)
def outermost(stack: np.ndarray, size: int, first: int, closes: int, stops: int) -> int:
    """The outermost open element of the classes `closes`, -1 for none. The search goes outwards to `first`, or to an element of
    the classes `stops`."""
    outermost = -1
    for index in range(size - 1, first - 1, -1):
        if stack[index, CLASS] & closes:
            outermost = index
        if stack[index, CLASS] & stops:
            break
    return outermost


@njit(nogil=True)
def innermost(stack: np.ndarray, size: int, first: int, name: int, stops: int) -> int:
    """The innermost open element of that name, -1 for none; the search ends as in `outermost`."""
    for index in range(size - 1, first - 1, -1):
        if stack[index, NAME] == name:
            return index
        if stack[index, CLASS] & stops:
            break
    return -1


@njit(nogil=True)
def outer_foreign(stack: np.ndarray, size: int) -> int:
    """The outermost `svg` or `math` that an HTML element ends; -1 for none. An element that may contain HTML stops the search."""
    outermost = -1
    for index in range(size - 1, 1, -1):
        if stack[index, PROPERTIES] & HTML_INSIDE:
            break
        if stack[index, CLASS] & FOREIGN:
            outermost = index
    return outermost


@njit(nogil=True)
def ends_a_block(stack: np.ndarray, size: int, index: int) -> bool:
    """Whether any of the open elements from `index` on ends a line."""
    while index < size and stack[index, PROPERTIES] & INLINE:
        index += 1
    return index < size


@njit(nogil=True)
def ends_lines_of_code(stack: np.ndarray, size: int, index: int, roots: int) -> bool:
    """Whether the open elements from `index` on are lines of code, or within one: one of those that are code (`roots` of all that
    are open) is around them."""
    for place in range(index, size):
        roots -= stack[place, ROLE] == IS_CODE
        if not stack[place, PROPERTIES] & (INLINE | LINE_OF_CODE):
            return False
    return roots > 0


@njit(nogil=True)
def close(stack: np.ndarray, size: int, shown: int, index: int, roles: np.ndarray, open_names: np.ndarray) -> int:
    """Close the open element at `index` and return the new size of the stack; its first `shown` elements show text.

    Elements inside it close too, except links, which are opened again. A formatting element closes only itself.
    """
    is_formatting = stack[index, KIND] & FORMATTING and index < shown
    ends_links = stack[index, CLASS] & NO_REOPENING
    kept = index
    for inner in range(index, size):
        if inner > index and (is_formatting or (stack[inner, ROLE] == A_LINK and not ends_links)):
            for column in range(stack.shape[1]):
                stack[kept, column] = stack[inner, column]
            if not is_formatting:
                stack[kept, PLACE] = -1
            kept += 1
            continue
        roles[stack[inner, ROLE]] -= 1
        open_names[stack[inner, NAME] & 0xFF] -= 1
    return kept
