"""The elements that are open at a place of an HTML page, from the outside in, and what closes them.

A row of the stack is an element: the columns NAME, KIND and CLASS of `html_elements`, and those below. The first two rows are
`html` and `body`, which nothing closes. All searches go from the innermost element outwards, as those of the standard do
(section 13.2.4.2).
"""

import numba
import numpy as np

from pipeline.extract.html.elements import CLASS, FOREIGN, FORMATTING, KIND, NAME, NO_REOPENING

# Columns of the stack, after NAME, KIND and CLASS. PLACE: the number of the element, -1 as long as no block in it is known; ROLE:
# what it counts for while it is open.
PROPERTIES, TAG, BITS, PLACE, ROLE = range(3, 8)
COLUMNS = 8
# Properties of an element's name, as bits, beside those of `html_elements`. WITHOUT_TEXT: never gives text; LANDMARK: none unless
# the whole page is read.
WITHOUT_TEXT, LANDMARK, INLINE, CODE_TEXT, HTML_INSIDE, SPACED = 1, 2, 4, 8, 16, 32
A_LINK, IS_CODE, IS_FOREIGN, NO_ROLE = range(4)  # roles


@numba.njit(cache=True, nogil=True)
def row_of(table: np.ndarray, name: int) -> int:
    """The row of the element with that packed name in an `element_table`, the last row for names that it lacks."""
    row = name % (len(table) - 1)
    return row if table[row, NAME] == name else len(table) - 1


@numba.njit(cache=True, nogil=True)
def outermost(stack: np.ndarray, size: int, first: int, closes: int, stops: int) -> int:
    """The outermost open element of the classes `closes`, sought from the innermost outwards to `first` or to an element
    of the classes `stops`; -1 for none."""
    outermost = -1
    for index in range(size - 1, first - 1, -1):
        if stack[index, CLASS] & closes:
            outermost = index
        if stack[index, CLASS] & stops:
            break
    return outermost


@numba.njit(cache=True, nogil=True)
def innermost(stack: np.ndarray, size: int, first: int, name: int, stops: int) -> int:
    """The last open element of that name, sought as `outermost` seeks; -1 for none."""
    for index in range(size - 1, first - 1, -1):
        if stack[index, NAME] == name:
            return index
        if stack[index, CLASS] & stops:
            break
    return -1


@numba.njit(cache=True, nogil=True)
def outer_foreign(stack: np.ndarray, size: int) -> int:
    """The outermost `svg` or `math` that an element of HTML ends; -1 for none, or inside an element in which HTML goes on."""
    outermost = -1
    for index in range(size - 1, 1, -1):
        if stack[index, PROPERTIES] & HTML_INSIDE:
            break
        if stack[index, CLASS] & FOREIGN:
            outermost = index
    return outermost


@numba.njit(cache=True, nogil=True)
def ends_a_block(stack: np.ndarray, size: int, index: int) -> bool:
    """Whether an element that ends a line is among the open ones from `index` on."""
    while index < size and stack[index, PROPERTIES] & INLINE:
        index += 1
    return index < size


@numba.njit(cache=True, nogil=True)
def close(stack: np.ndarray, size: int, shown: int, index: int, roles: np.ndarray, open_names: np.ndarray) -> int:
    """Close the open element at `index`: the new size of the stack, of which the first `shown` elements show their text.

    What is inside closes too, but for a link, which begins anew. A formatting element closes nothing but itself.
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
