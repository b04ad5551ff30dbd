"""Splits an HTML page into tags and texts, after section 13.2.5 of the HTML standard, "tokenization".

Comments, doctypes and content that no reader sees (scripts, style sheets) are skipped. Only attributes that say what an element
is for are kept, as positions in the page; their character references are not replaced, because no class name needs one. Every
byte is read once or twice, on any page.

The content of `noscript` is raw text (a browser with scripts) or markup (a browser without). Three differences from the standard
affect only content that is not shown: a script with a commented `<script>` ends at the first end tag, a CDATA section is a
comment in `svg` too, and `plaintext` is an ordinary element.
"""

import functools
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.html.elements import KIND, NAME, RAW, element_table, pack_name

# Kinds of tokens. Character references are replaced in TEXT and TITLE, but not in CODE (the content of `xmp`) or NOSCRIPT.
TEXT, TITLE, CODE, NOSCRIPT, START, END = range(6)
_COMMENT = 6  # or doctype, or anything that looks like one: gives no token
# Rows of the tables of tokens and of the attributes kept.
_KIND, _BITS, _START, _END = range(4)
_OWNER, _ATTRIBUTE, _VALUE_START, _VALUE_END = range(4)
# Properties of a start tag, as bits.
SELF_CLOSING, HIDDEN, HAS_TARGET, OPENS_A_PART = 1, 2, 4, 8
# Attributes kept with their values (WORDS, STYLE, HIDDEN_VALUE); of others only the presence matters, or, of `alt`, the value is
# the tag's text.
WORDS, STYLE, HIDDEN_VALUE, _PRESENCE, _TEXT = range(5)
_ATTRIBUTES = {
    **{"class": (WORDS, 0), "id": (WORDS, 0), "role": (WORDS, 0), "itemprop": (WORDS, 0), "style": (STYLE, 0)},
    **{"hidden": (HIDDEN_VALUE, HIDDEN), "href": (_PRESENCE, HAS_TARGET), "alt": (_TEXT, 0), "encoding": (WORDS, 0)},
    "display": (WORDS, 0),
    **{"aria-expanded": (_PRESENCE, OPENS_A_PART), "aria-controls": (_PRESENCE, OPENS_A_PART)},
}
_MATH, _NOSCRIPT, _SVG, _TITLE, _XMP = map(pack_name, ("math", "noscript", "svg", "title", "xmp"))


class Tokens(NamedTuple):
    """The tokens of a page, in order. Of each: its kind; of a tag its packed name (`elements.pack_name`) and, if it is a start
    tag, its bits; of a text its start and end in the page. And of each attribute kept, in the same order: the number of the
    start tag that owns it, WORDS, STYLE or HIDDEN_VALUE, and the start and end of its value."""

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
    tokens, names, attributes = _read(page, *_tables(has_scripts))
    return Tokens(tokens[_KIND], names, tokens[_BITS], tokens[_START], tokens[_END], *attributes)


@functools.cache
def _tables(has_scripts: bool) -> tuple[np.ndarray, np.ndarray]:
    """The packed names of elements whose content is raw text, and a row per attribute: packed name, what is kept, bits."""
    table = element_table()
    raw = np.append(table[(table[:, KIND] & RAW) > 0, NAME], [_NOSCRIPT] if has_scripts else []).astype(np.int64)
    return raw, np.array([[pack_name(name), *properties] for name, properties in _ATTRIBUTES.items()])


@njit(nogil=True)
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


@njit(nogil=True)
def _attribute_at(page: np.ndarray, position: int) -> tuple[int, int, int, int]:
    """The packed name of the attribute that begins at `position`, the start and end of its value, and where to continue."""
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


@njit(nogil=True)
def after_comment(page: np.ndarray, position: int) -> int:
    """Where text continues after the "<!", "<?" or "</" at `position`, which begins no tag."""
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


@njit(nogil=True)
def after_raw_text(page: np.ndarray, position: int, name: int) -> int:
    """The start of the end tag of `name`, or the end of the page."""
    while position + 1 < len(page):
        if page[position] == 0x3C and page[position + 1] == 0x2F and name_at(page, position + 2)[0] == name:
            return position
        position += 1
    return len(page)


@njit(nogil=True)
def _markup_at(page: np.ndarray, mark: int) -> int:
    """What the "<" at `mark` begins: a START or END tag, a _COMMENT, or only TEXT."""
    is_end = mark + 1 < len(page) and page[mark + 1] == 0x2F
    if mark + 1 + is_end >= len(page):
        return TEXT
    first = page[mark + 1 + is_end]
    if 0x61 <= (first | 0x20) <= 0x7A:
        return END if is_end else START
    return _COMMENT if is_end or first == 0x21 or first == 0x3F else TEXT


@njit(nogil=True, inline="always")
def _read_attributes(
    page: np.ndarray,
    position: int,
    known: np.ndarray,
    tokens: np.ndarray,
    attributes: np.ndarray,
    kept: int,
    owner: int,
    is_end: bool,
) -> tuple[int, int, int]:
    """The bits of the tag whose attributes begin at `position`, how many attributes are kept with its own, and where its ">" is
    (the page's end if it has none).

    Inlined, since counting references to the arrays at every call would cost a fifth of the pass."""
    bits = seen = 0
    tokens[_START, owner] = tokens[_END, owner] = 0
    while position < len(page) and page[position] != 0x3E:
        if page[position] <= 0x20:
            position += 1
            continue
        if page[position] == 0x2F:
            position += 1
            if position < len(page) and page[position] == 0x3E:
                bits |= SELF_CLOSING
            continue
        name, start, end, position = _attribute_at(page, position)
        for row in range(len(known)):
            if known[row, 0] != name or seen >> row & 1 or is_end:
                continue
            seen |= 1 << row  # of attributes with the same name the first counts
            bits |= known[row, 2]
            if known[row, 1] == _TEXT:
                tokens[_START, owner], tokens[_END, owner] = start, end
            elif known[row, 1] != _PRESENCE and end > start:
                attributes[_OWNER, kept], attributes[_ATTRIBUTE, kept] = owner, known[row, 1]
                attributes[_VALUE_START, kept], attributes[_VALUE_END, kept] = start, end
                kept += 1
    return bits, kept, position


@njit(nogil=True)
def _add_text(tokens: np.ndarray, count: int, kind: int, start: int, end: int) -> int:
    """Add a text: the new number of tokens."""
    tokens[_KIND, count], tokens[_START, count], tokens[_END, count] = kind, start, end
    return count + 1


@njit(nogil=True)
def _count_marks(page: np.ndarray) -> int:
    marks = 0
    for byte in page:
        marks += byte == 0x3C
    return marks


@njit(nogil=True)
def _is_raw(name: int, raw: np.ndarray) -> bool:
    is_raw = False
    for packed in raw:
        is_raw |= packed == name
    return is_raw


@njit(nogil=True)
def _read(page: np.ndarray, raw: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tokens, their names and the attributes kept.

    for each "<" that begins a tag or comment:
        add the text before it
        comment:   step over it
        tag:       read its name and attributes; one that the page's end cuts off is none
        raw text:  step over the content up to the end tag; add it if it is shown, in place of the tag but for `xmp`
    add the text after the last one
    """
    marks = _count_marks(page)
    tokens = np.empty((4, 2 * marks + 1), dtype=np.int32)  # a text before each "<" and after the last
    names = np.empty(2 * marks + 1, dtype=np.int64)
    attributes = np.empty((4, min(len(known) * marks, len(page) // 3)), dtype=np.int32)  # one kept takes at least " id"
    count = kept = position = text_start = 0
    foreign = 0  # svg and math elements that are open, in which "/>" ends an element
    while position < len(page):
        if page[position] != 0x3C:
            position += 1
            continue
        kind = _markup_at(page, position)
        if kind == TEXT:
            position += 1
            continue
        if position > text_start:
            count = _add_text(tokens, count, TEXT, text_start, position)
        if kind == _COMMENT:
            position = text_start = after_comment(page, position)
            continue
        is_end = kind == END
        name, position = name_at(page, position + 1 + is_end)
        bits, owned, position = _read_attributes(page, position, known, tokens, attributes, kept, count, is_end)
        text_start = position = position + 1
        if position > len(page):
            break
        if name in (_SVG, _MATH):
            foreign = max(0, foreign - 1) if is_end else foreign + (not bits & SELF_CLOSING)
        is_raw = not is_end and not (foreign and bits & SELF_CLOSING) and _is_raw(name, raw)
        if not is_raw or name == _XMP:
            tokens[_KIND, count], tokens[_BITS, count], names[count] = kind, bits, name
            count += 1
            kept = owned
        if is_raw:
            position = after_raw_text(page, text_start, name)
            if name in (_XMP, _TITLE, _NOSCRIPT):
                content = CODE if name == _XMP else TITLE if name == _TITLE else NOSCRIPT
                count = _add_text(tokens, count, content, text_start, position)
            text_start = position
    if len(page) > text_start:
        count = _add_text(tokens, count, TEXT, text_start, len(page))
    return tokens[:, :count], names[:count], attributes[:, :kept]
