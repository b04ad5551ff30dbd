"""Measures in one pass over the tags how much work a page would cause a tree-building parser and extractor.

The project's own extractor builds no tree and does not need this; the public ones do. resiliparse visits the ancestors of every
element, so its work grows with the sum of the depths of the elements: 10,000 nested `div`s take seconds, 100,000 take minutes.
The HTML standard adds a second trap: unclosed formatting elements are reopened in every following block (section 13.2.4.3, "the
list of active formatting elements"). And the parser compares each attribute of a tag with all others. Real pages come nowhere
near these limits; a page that does is dropped by a rule before it is parsed.

The pass keeps a stack of open elements as a parser does (void elements, implied end tags, raw text, comments, formatting elements
that outlive their block), but builds nothing.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import (
    CLASS,
    CLOSES,
    END_STOPS,
    FOREIGN,
    FORMATTING,
    IN_TABLE,
    INNERMOST,
    KIND,
    NAME,
    NO_REOPENING,
    ONCE,
    RAW,
    STOPS,
    TABLE,
    TOGGLE,
    VOID,
    element_table,
    pack_name,
)
from pipeline.extract.html.open_elements import innermost, outermost, row_of
from pipeline.extract.html.tokens import after_comment, after_raw_text, name_at

MAX_STACK = 1_024  # where the pass ends: beyond what the rule keeps

TAG, REOPENED = 3, 4  # columns of the stack of open elements, after NAME, KIND and CLASS
P_NAME = pack_name("p")
# What the pass keeps, a record that compiled code hands on as one pointer.
_COST = np.dtype(
    [
        ("stack", np.int64, (MAX_STACK, 5)),
        ("open_names", np.int64, 256),  # by the last letter of their names, no fewer than are open: saves looking for others
        ("size", np.int64),  # of the stack
        ("foreign", np.int64),  # svg and math elements begun, in which "/>" closes
        ("reopened", np.int64),  # formatting elements that every block opens again
        ("depth", np.int64),
        ("work", np.int64),
        ("attributes", np.int64),
        ("merged_attributes", np.int64),
    ]
)


class Nesting(NamedTuple):
    """depth: elements open at once, at most `MAX_STACK`; work: the sum of the depths of all elements; attributes: the
    most that one tag has (those of all `html` and all `body` tags together, which the parser merges)."""

    depth: int
    work: int
    attributes: int


def measure_nesting(page: str) -> Nesting:
    """The cost of parsing `page`, HTML. Never fails; takes a few nanoseconds per byte."""
    memory = np.zeros(_COST.itemsize // 8, dtype=np.int64)
    return Nesting(*_measure(np.frombuffer(page.encode("utf-8", "replace"), dtype=np.uint8), _table(), memory))


def nesting_depth(page: str) -> int:
    """The most elements that are open at once in `page`, HTML; at most `MAX_STACK`."""
    return measure_nesting(page).depth


@cache
def _table() -> np.ndarray:
    return element_table()


@njit(nogil=True)
def _end_of_tag(page: np.ndarray, position: int) -> tuple[int, int]:
    """The end (after ">") of the tag whose attributes begin at `position`, and its number of attributes."""
    attributes = 0
    quote = 0
    before = 0x20  # what came last outside of quotes: 0x20 between attributes, 0x3D after "=", 0x61 in a name or value
    while position < len(page):
        byte = page[position]
        position += 1
        if quote:
            if byte == quote:
                quote = 0
                before = 0x20
        elif byte == 0x3E:
            break
        elif byte == 0x3D:
            before = 0x3D
        elif byte <= 0x20 or (byte == 0x2F and before != 0x61):
            before = 0x3D if before == 0x3D else 0x20
        elif (byte == 0x22 or byte == 0x27) and before == 0x3D:
            quote = byte
        else:
            attributes += before == 0x20
            before = 0x61
    return position, attributes


@njit(nogil=True)
def _close(stack: np.ndarray, size: int, index: int) -> tuple[int, int]:
    """Close the open element at `index`. Returns the new size of the stack, and how many more formatting elements than before
    are reopened in each following block.

    Elements inside it close too, except formatting elements. A formatting element closes only itself.
    """
    is_formatting = stack[index, KIND] & FORMATTING
    ends_formatting = stack[index, CLASS] & NO_REOPENING
    reopened = -stack[index, REOPENED]
    kept = index
    for inner in range(index + 1, size):
        reopened -= stack[inner, REOPENED]
        if is_formatting or (stack[inner, KIND] & FORMATTING and not ends_formatting):
            stack[kept] = stack[inner]
            if not is_formatting:
                stack[kept, REOPENED] = 1
            reopened += stack[kept, REOPENED]
            kept += 1
    return kept, reopened


@njit(nogil=True)
def _repeats(stack: np.ndarray, size: int, page: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """A hash of the tag `page[start:end]`, and how many open formatting elements began with the same tag."""
    tag = end - start
    for index in range(start, end):
        tag = (tag * 31 + int(page[index])) % 0x7FFFFFFFFFF
    same = 0
    for index in range(size):
        same += stack[index, TAG] == tag
    return tag, same


@njit(nogil=True)
def _measure(page: np.ndarray, table: np.ndarray, memory: np.ndarray) -> tuple[int, int, int]:
    """Read the tags of a page; `memory`, zeros, becomes the record.

    for each tag, until MAX_STACK elements are open:
        end tag:    close the element of its name; a `</p>` without one makes an element
        start tag:  count its attributes; close what it ends; add its depth to the work, once more for each formatting element
                    that is opened again; step over raw text; open the element
    """
    cost = memory.view(_COST)[0]
    position = 0
    while position + 1 < len(page):
        if page[position] != 0x3C:
            position += 1
            continue
        start = position
        is_end = page[start + 1] == 0x2F
        first = page[min(start + 1 + is_end, len(page) - 1)]
        if not 0x61 <= (first | 0x20) <= 0x7A:
            position = after_comment(page, start) if is_end or first == 0x21 or first == 0x3F else start + 1
            continue
        name, position = name_at(page, start + 1 + is_end)
        position, attributes = _end_of_tag(page, position)
        if is_end:
            _take_end_tag(cost, table, name)
            continue
        cost.attributes = max(cost.attributes, attributes)
        if _take_start_tag(cost, table, page, start, position, name, attributes):
            position = after_raw_text(page, position, name)
        if cost.size == MAX_STACK:
            break
    return cost.depth, cost.work, cost.attributes


@njit(nogil=True)
def _close_at(cost: Any, index: int) -> None:
    """Close the open element at `index` and count anew what is opened again."""
    cost.size, more = _close(cost.stack, cost.size, index)
    cost.reopened += more


@njit(nogil=True)
def _take_end_tag(cost: Any, table: np.ndarray, name: int) -> None:
    row = row_of(table, name)
    index = -1
    if cost.open_names[name & 0xFF]:
        index = innermost(cost.stack, cost.size, 0, name, table[row, END_STOPS])
    if index >= 0:
        _close_at(cost, index)
        cost.open_names[name & 0xFF] -= 1
        cost.foreign -= table[row, CLASS] == FOREIGN
    elif name == P_NAME:
        cost.work += cost.size + 1


@njit(nogil=True)
def _take_start_tag(cost: Any, table: np.ndarray, page: np.ndarray, start: int, end: int, name: int, attributes: int) -> bool:
    """Count the start tag `page[start:end]`; whether raw text follows."""
    row = row_of(table, name)
    kind = table[row, KIND]
    if kind & ONCE:
        cost.merged_attributes += attributes
        cost.attributes = max(cost.attributes, cost.merged_attributes)
        return False
    if kind & IN_TABLE and outermost(cost.stack, cost.size, 0, TABLE, TABLE) < 0:
        return False
    if table[row, CLOSES]:
        first = max(cost.size - 1, 0) if kind & INNERMOST else 0
        index = outermost(cost.stack, cost.size, first, table[row, CLOSES], table[row, STOPS])
        if index >= 0:
            _close_at(cost, index)
            if kind & TOGGLE:
                return False
    cost.work += (cost.size + 1) * (1 if kind & FORMATTING else 1 + cost.reopened)
    closes_itself = cost.foreign > 0 and page[end - 2] == 0x2F
    if not kind & (RAW | VOID) and not closes_itself:
        _open(cost, table, page, start, end, name, row)
    return bool(kind & RAW)


@njit(nogil=True)
def _open(cost: Any, table: np.ndarray, page: np.ndarray, start: int, end: int, name: int, row: int) -> None:
    """Open an element, unless it is the fourth formatting element that began with the same tag."""
    stack, size, kind = cost.stack, cost.size, table[row, KIND]
    tag = 0
    if kind & FORMATTING:
        # Of formatting elements with the same attributes at most three are opened again ("Noah's Ark clause").
        tag, same = _repeats(stack, size, page, start, end)
        if same >= 3:
            return
    stack[size, NAME], stack[size, KIND], stack[size, CLASS] = name, kind, table[row, CLASS]
    stack[size, TAG], stack[size, REOPENED] = tag, 0
    cost.open_names[name & 0xFF] += 1
    cost.foreign += table[row, CLASS] == FOREIGN
    cost.size = size + 1
    cost.depth = max(cost.depth, size + 1)
