"""How much work a page would make for a parser and a main-text extractor that walks its tree, found in one pass over its tags.

The project's own extractor builds no tree, and needs none of this; the public ones do. resiliparse looks at the ancestors of
every element, so that its work is the sum of the elements' depths and not their number: 10,000 nested `div`s cost it
seconds, 100,000 minutes. The HTML standard adds a second trap: formatting elements
that were never closed are opened again in every block that follows (section 13.2.4.3, "the list of active formatting
elements"). And the parser compares each attribute of a tag with all others of it. Real pages come near none of this; one
that does is dropped by a rule before it is parsed.

The pass keeps a stack of open elements as a parser does (void elements, implied end tags, raw text, comments, formatting
elements that outlive their block), but builds nothing.
"""

from functools import cache
from typing import NamedTuple

import numba
import numpy as np

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
    SPECIAL,
    STOPS,
    TABLE,
    TOGGLE,
    VOID,
    element_table,
    pack_name,
)  # fmt: skip
from pipeline.extract.html.open_elements import innermost, outermost
from pipeline.extract.html.tokens import after_comment, after_raw_text, name_at

MAX_STACK = 1_024  # where the pass ends: beyond what the rule keeps

TAG, REOPENED = 3, 4  # columns of the stack of open elements, after NAME, KIND and CLASS
P_NAME = pack_name("p")


class Nesting(NamedTuple):
    """depth: elements open at once, at most `MAX_STACK`; work: the sum of the depths of all elements; attributes: the
    most that one tag has (those of all `html` and all `body` tags together, which the parser merges)."""

    depth: int
    work: int
    attributes: int


def measure_nesting(page: str) -> Nesting:
    """What `page`, HTML, would make the parser do. Never fails; some nanoseconds a byte."""
    return Nesting(*_measure(np.frombuffer(page.encode("utf-8", "replace"), dtype=np.uint8), _table()))


def nesting_depth(page: str) -> int:
    """The most elements that are open at once in `page`, HTML; at most `MAX_STACK`."""
    return measure_nesting(page).depth


@cache
def _table() -> np.ndarray:
    return element_table()


@numba.njit(cache=True, nogil=True)
def _end_of_tag(page: np.ndarray, position: int) -> tuple[int, int]:
    """Where the tag ends whose attributes begin at `position` (after its ">"), and how many attributes it has."""
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


@numba.njit(cache=True, nogil=True)
def _close(stack: np.ndarray, size: int, index: int) -> tuple[int, int]:
    """Close the open element at `index`: the new size of the stack, and by how many more formatting elements than before
    are opened again in each block that follows.

    What is inside closes too, but for formatting elements; a formatting element closes nothing but itself.
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


@numba.njit(cache=True, nogil=True)
def _repeats(stack: np.ndarray, size: int, page: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """A hash of the tag `page[start:end]`, and how many open formatting elements began with the same tag."""
    tag = end - start
    for index in range(start, end):
        tag = (tag * 31 + int(page[index])) % 0x7FFFFFFFFFF
    same = 0
    for index in range(size):
        same += stack[index, TAG] == tag
    return tag, same


@numba.njit(cache=True, nogil=True)
def _measure(page: np.ndarray, table: np.ndarray) -> tuple[int, int, int]:
    stack = np.zeros((MAX_STACK, 5), dtype=np.int64)
    open_by_slot = np.zeros(len(table), dtype=np.int64)  # an upper bound of the open elements whose names fall there
    size = 0
    foreign = 0  # svg and math elements begun, in which "/>" closes
    reopened = 0  # formatting elements that every block opens again
    depth = 0
    work = 0
    attributes = 0
    merged_attributes = 0
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
        position, count = _end_of_tag(page, position)
        slot = name % len(table)
        known = table[slot, NAME] == name
        kind = table[slot, KIND] if known else 0
        own_class = table[slot, CLASS] if known else 0

        if is_end:
            index = -1
            if open_by_slot[slot]:
                index = innermost(stack, size, 0, name, table[slot, END_STOPS] if known else SPECIAL)
            if index >= 0:
                size, more = _close(stack, size, index)
                reopened += more
                open_by_slot[slot] -= 1
                foreign -= own_class == FOREIGN
            elif name == P_NAME:  # a </p> without a <p> makes an element
                work += size + 1
            continue

        attributes = max(attributes, count)
        if kind & ONCE:
            merged_attributes += count
            attributes = max(attributes, merged_attributes)
            continue
        if kind & IN_TABLE and outermost(stack, size, 0, TABLE, TABLE) < 0:
            continue
        if known and table[slot, CLOSES]:
            first_open = max(size - 1, 0) if kind & INNERMOST else 0
            index = outermost(stack, size, first_open, table[slot, CLOSES], table[slot, STOPS])
            if index >= 0:
                size, more = _close(stack, size, index)
                reopened += more
                if kind & TOGGLE:
                    continue
        work += (size + 1) * (1 if kind & FORMATTING else 1 + reopened)
        if kind & RAW:
            position = after_raw_text(page, position, name)
        if kind & (RAW | VOID) or (foreign > 0 and page[position - 2] == 0x2F):
            continue
        tag = 0
        if kind & FORMATTING:
            # Of formatting elements with the same attributes at most three are opened again ("Noah's Ark clause").
            tag, same = _repeats(stack, size, page, start, position)
            if same >= 3:
                continue
        stack[size, NAME] = name
        stack[size, KIND] = kind
        stack[size, CLASS] = own_class
        stack[size, TAG] = tag
        stack[size, REOPENED] = 0
        open_by_slot[slot] += 1
        foreign += own_class == FOREIGN
        size += 1
        depth = max(depth, size)
        if size == MAX_STACK:
            break
    return depth, work, attributes
