"""The tags and the text of an HTML page: what section 13.2.5 of the HTML standard, "tokenization", makes of its bytes.

Comments, doctypes and whatever a page holds that no reader sees (scripts, style sheets) are stepped over. Of attributes those are
kept that tell what an element is for, as places in the page, with character references not replaced: no class needs one. Every
byte is looked at once or twice, whatever the page is.

The content of `noscript` is raw text, as for a browser with scripts, or markup, as for one without. The three differences from
the standard are in what nobody shows: a script that holds a commented `<script>` ends at the first end tag, a CDATA section is
a comment in `svg` too, and `plaintext` is an element like others.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np

from pipeline.extract.html.elements import KIND, NAME, RAW, element_table, pack_name

# Kinds of tokens. A text is decoded where it comes from TEXT or TITLE, but not from CODE, the content of `xmp`, or NOSCRIPT.
TEXT, TITLE, CODE, NOSCRIPT, START, END = range(6)
# What is known of a start tag beside its name, as bits.
SELF_CLOSING, HIDDEN, HAS_TARGET = 1, 2, 4
# Attributes kept with their values; of others the presence matters, or nothing.
WORDS, STYLE, _PRESENCE = range(3)
_ATTRIBUTES = {
    **{"class": (WORDS, 0), "id": (WORDS, 0), "role": (WORDS, 0), "itemprop": (WORDS, 0), "style": (STYLE, 0)},
    **{"hidden": (_PRESENCE, HIDDEN), "href": (_PRESENCE, HAS_TARGET)},
}
_MATH, _NOSCRIPT, _SVG, _TITLE, _XMP = map(pack_name, ("math", "noscript", "svg", "title", "xmp"))


class Tokens(NamedTuple):
    """The tokens of a page in its order: of each its kind; of a tag its packed name (`html_elements.pack_name`) and the bits of
    a start tag; of a text where in the page it starts and ends. And of each attribute kept, in the same order, the number of the
    start tag that owns it, WORDS or STYLE, and where its value starts and ends."""

    kinds: np.ndarray
    names: np.ndarray
    bits: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    owners: np.ndarray
    attributes: np.ndarray
    value_starts: np.ndarray
    value_ends: np.ndarray


def read_tokens(page: np.ndarray, has_scripts: bool = True) -> Tokens:
    """The tokens of `page`, the bytes (uint8) of HTML in an encoding that holds ASCII, of less than 2 GiB, for a browser with
    scripts or one without. Never fails."""
    return Tokens(*_read(page, *_tables(has_scripts)))


@functools.cache
def _tables(has_scripts: bool) -> tuple[np.ndarray, np.ndarray]:
    """The packed names of elements whose content is raw text, and a row an attribute: packed name, what is kept, bits."""
    table = element_table()
    raw = np.append(table[(table[:, KIND] & RAW) > 0, NAME], [_NOSCRIPT] if has_scripts else []).astype(np.int64)
    return raw, np.array([[pack_name(name), *properties] for name, properties in _ATTRIBUTES.items()])


@numba.njit(cache=True, nogil=True)
def name_at(page: np.ndarray, position: int) -> tuple[int, int]:
    """The packed name of the tag whose name begins at `position`, and where the name ends."""
    name = 0
    length = 0
    while position < len(page):
        byte = page[position]
        if byte <= 0x20 or byte == 0x2F or byte == 0x3E:
            break
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        name = (name << 8) | byte if length < 8 else name * 31 + byte
        length += 1
        position += 1
    return name, position


@numba.njit(cache=True, nogil=True)
def _attribute_at(page: np.ndarray, position: int) -> tuple[int, int, int, int]:
    """The packed name of the attribute that begins at `position`, where its value starts and ends, and where to go on."""
    size = len(page)
    name = 0
    length = 0
    while position < size:
        byte = page[position]
        if byte <= 0x20 or byte == 0x2F or byte == 0x3E or (byte == 0x3D and length):
            break
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        name = (name << 8) | byte if length < 8 else name * 31 + byte
        length += 1
        position += 1
    after_name = position
    while position < size and page[position] <= 0x20:
        position += 1
    if position >= size or page[position] != 0x3D:
        return name, after_name, after_name, position
    position += 1
    while position < size and page[position] <= 0x20:
        position += 1
    start = position
    if position < size and (page[position] == 0x22 or page[position] == 0x27):
        quote = page[position]
        position += 1
        while position < size and page[position] != quote:
            position += 1
        return name, start + 1, position, position + 1
    while position < size and page[position] > 0x20 and page[position] != 0x3E:
        position += 1
    return name, start, position, position


@numba.njit(cache=True, nogil=True)
def after_comment(page: np.ndarray, position: int) -> int:
    """Where the text goes on after the "<!", "<?" or "</" at `position` that begins no tag."""
    size = len(page)
    if position + 3 < size and page[position + 1] == 0x21 and page[position + 2] == 0x2D and page[position + 3] == 0x2D:
        start = position + 4
        for end in range(start, size):
            # "-->" and "--!>", and at the very start ">" and "->" too
            if page[end] == 0x3E:
                dashes = 0
                before = end - 1 - (page[end - 1] == 0x21)
                while dashes < 2 and before - dashes >= start - 2 and page[before - dashes] == 0x2D:
                    dashes += 1
                if dashes == 2 and (before == end - 1 or before > start):
                    return end + 1
        return size
    while position < size and page[position] != 0x3E:
        position += 1
    return position + 1


@numba.njit(cache=True, nogil=True)
def after_raw_text(page: np.ndarray, position: int, name: int) -> int:
    """Where the end tag of `name` begins; the end of the page without one."""
    while position + 1 < len(page):
        if page[position] == 0x3C and page[position + 1] == 0x2F and name_at(page, position + 2)[0] == name:
            return position
        position += 1
    return len(page)


@numba.njit(cache=True, nogil=True)
def _read(
    page: np.ndarray, raw: np.ndarray, known: np.ndarray
) -> tuple[
    np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray,
]:  # fmt: skip
    size = len(page)
    marks = 0
    for byte in page:
        marks += byte == 0x3C
    kinds = np.empty(2 * marks + 1, dtype=np.uint8)  # a text before each "<" and after the last
    names = np.empty(2 * marks + 1, dtype=np.int64)
    bits = np.empty(2 * marks + 1, dtype=np.uint8)
    starts = np.empty(2 * marks + 1, dtype=np.int32)
    ends = np.empty(2 * marks + 1, dtype=np.int32)
    most = min(len(known) * marks, size // 3)  # an attribute kept takes at least " id"
    owners = np.empty(most, dtype=np.int32)
    attributes = np.empty(most, dtype=np.uint8)
    value_starts = np.empty(most, dtype=np.int32)
    value_ends = np.empty(most, dtype=np.int32)
    count = 0
    kept = 0
    foreign = 0  # svg and math elements that are open, in which "/>" ends an element
    position = 0
    text_start = 0
    while position < size:
        if page[position] != 0x3C:
            position += 1
            continue
        mark = position
        is_end = mark + 1 < size and page[mark + 1] == 0x2F
        first = page[mark + 1 + is_end] if mark + 1 + is_end < size else 0x20
        is_tag = 0x61 <= (first | 0x20) <= 0x7A
        is_comment = not is_tag and (first == 0x21 or first == 0x3F or is_end) and mark + 1 + is_end < size
        if not is_tag and not is_comment:
            position += 1
            continue
        if mark > text_start:
            kinds[count], starts[count], ends[count] = TEXT, text_start, mark
            count += 1
        if is_comment:
            position = text_start = after_comment(page, mark)
            continue

        name, position = name_at(page, mark + 1 + is_end)
        tag_bits = 0
        seen = 0
        owned = kept
        while position < size and page[position] != 0x3E:
            if page[position] <= 0x20:
                position += 1
                continue
            if page[position] == 0x2F:
                position += 1
                if position < size and page[position] == 0x3E:
                    tag_bits |= SELF_CLOSING
                continue
            attribute, start, end, position = _attribute_at(page, position)
            for row in range(len(known)):
                if known[row, 0] != attribute or seen >> row & 1 or is_end:
                    continue
                seen |= 1 << row  # of attributes with the same name the first counts
                tag_bits |= known[row, 2]
                if known[row, 1] != _PRESENCE and end > start:
                    owners[kept], attributes[kept] = count, known[row, 1]
                    value_starts[kept], value_ends[kept] = start, end
                    kept += 1
        if position >= size:  # a tag that the page's end cuts off is none
            text_start = size
            kept = owned
            break
        position += 1
        is_raw = False
        if name in (_SVG, _MATH):
            foreign = max(0, foreign - 1) if is_end else foreign + (not tag_bits & SELF_CLOSING)
        if not is_end and not (foreign and tag_bits & SELF_CLOSING):
            for packed in raw:
                is_raw |= packed == name
        if not is_raw or name == _XMP:
            kinds[count], names[count], bits[count] = END if is_end else START, name, tag_bits
            count += 1
        else:
            kept = owned
        if is_raw:
            start = position
            position = after_raw_text(page, start, name)
            if name in (_XMP, _TITLE, _NOSCRIPT):
                kinds[count] = CODE if name == _XMP else TITLE if name == _TITLE else NOSCRIPT
                starts[count], ends[count] = start, position
                count += 1
        text_start = position
    if size > text_start:
        kinds[count], starts[count], ends[count] = TEXT, text_start, size
        count += 1
    return (
        kinds[:count], names[:count], bits[:count], starts[:count], ends[:count],
        owners[:kept], attributes[:kept], value_starts[:kept], value_ends[:kept],
    )  # fmt: skip
