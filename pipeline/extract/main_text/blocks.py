"""The blocks of an HTML page: its paragraphs, headings, list items, rows of tables and lines of code, in the order of the page.

A block is a run of text that no element other than inline ones interrupts; it knows the element that holds it, and each element
its parent, its tag and the kinds of words in its class and id. What is never shown, what only controls the page (buttons,
fields, navigation) and line numbers beside code give no text.

One pass over the page's tokens keeps the elements that are open, as a browser does, and no tree: an element is written down when
a block in it is. Of the standard's rules those are left out that only move text or repeat formatting: text between the rows of a
table stays there, and of the elements that go on in the next block when they were not closed (`b`, `font`, ...) only links do.
Memory grows with the page and time too, whatever it holds: beyond MAX_DEPTH elements are not nested any deeper, and what follows
after MOST_BLOCKS blocks is not read.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np

from pipeline.extract.html.elements import (
    ANCHOR,
    CLASS,
    CLOSES,
    END_STOPS,
    FOREIGN,
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
    element_table,
    pack_name,
)
from pipeline.extract.html.open_elements import (
    A_LINK,
    BITS,
    CODE_TEXT,
    COLUMNS,
    HTML_INSIDE,
    INLINE,
    IS_CODE,
    IS_FOREIGN,
    LANDMARK,
    NO_ROLE,
    PLACE,
    PROPERTIES,
    ROLE,
    SPACED,
    TAG,
    WITHOUT_TEXT,
    close,
    ends_a_block,
    innermost,
    outer_foreign,
    outermost,
)
from pipeline.extract.html.references import decode_texts
from pipeline.extract.html.tokens import END, HAS_TARGET, HIDDEN, NOSCRIPT, SELF_CLOSING, START, TITLE, read_tokens
from pipeline.extract.main_text.class_names import COMMENTS, LEFT_OUT, words_of
from pipeline.extract.main_text.rendering import BREAK, CELL, LINK, PLAIN, Pieces, write_texts

# Elements whose content is not shown, or is no text; `rt` and `rp` would put the reading of a word into its sentence.
_WITHOUT_TEXT = frozenset((
    "title", "script", "style", "template", "svg", "iframe", "object", "embed", "canvas", "audio", "video", "select",
    "option", "datalist", "textarea", "button", "input", "annotation", "rt", "rp", "map", "area", "applet", "frameset",
))  # fmt: skip
_LANDMARKS = frozenset(["nav", "footer"])
# Elements that do not end a line, by the browser's own style sheet or because they show nothing where they stand; of all
# others the style sheet, or no one, says that they do.
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "base", "basefont", "bdi", "bdo", "bgsound", "big", "blink", "br", "cite", "code", "col", "data",
    "del", "dfn", "em", "font", "frame", "i", "img", "ins", "kbd", "keygen", "label", "link", "mark", "math", "meta", "nobr",
    "output", "param", "picture", "q", "rb", "ruby", "s", "samp", "slot", "small", "source", "span", "strike", "strong", "sub",
    "sup", "td", "th", "time", "track", "tt", "u", "var", "wbr",
))  # fmt: skip
# Inline elements before which there is a space: cells, and what stands for a value between two others.
_SPACED = frozenset(["link", "meta", "td", "th"])
_CODE = frozenset(["pre", "listing", "xmp"])
# Elements of SVG and MathML in which HTML goes on.
_HTML_INSIDE = frozenset(["annotation-xml", "desc", "foreignobject", "mi", "mn", "mo", "ms", "mtext"])
# The tags that tell main text from the rest; the position in this list is the tag's number, 0 any other.
TAGS = (
    "", "p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "dd", "dt", "pre", "blockquote", "div", "figcaption", "td",
    "article", "main", "aside", "header", "form", "section", "ul", "ol", "dl", "table", "body", "figure",
    "address", "details", "center",
)  # fmt: skip
# Of 12,473 real pages the deepest has 72. A tag may look at all open elements: on markup made for that, 10 MB take 2 s.
MAX_DEPTH = 256
# A page is read as far as this, since judging a block takes microseconds and a kilobyte or two: 10 MB could hold 2.5 million,
# each a letter. Of 7,651 real pages the largest has 1,660.
MOST_BLOCKS = 100_000

_PROPERTIES = (
    (WITHOUT_TEXT, _WITHOUT_TEXT), (LANDMARK, _LANDMARKS), (INLINE, _INLINE), (CODE_TEXT, _CODE),
    (HTML_INSIDE, _HTML_INSIDE), (SPACED, _SPACED),
)  # fmt: skip
_BODY_NUMBER = TAGS.index("body")
_BR, _BODY, _HTML, _SPAN = map(pack_name, ("br", "body", "html", "span"))


class Page(NamedTuple):
    """The blocks of a page, each with its text (lines separated by "\n"), the number of the element that holds it and how many
    of its characters are links'; and of each element that holds one, or holds such an element, the number of its parent, which
    is smaller (-1 for the first), of its tag in TAGS, and the bits of its WORD_KINDS."""

    title: str  # on one line, "" without one
    texts: list[str]
    holders: list[int]
    link_characters: list[int]
    parents: list[int]
    tags: list[int]
    words: list[int]
    letters_left_out: int  # that the whole page has beside


def read_page(html: str, is_whole: bool = False) -> Page:
    """The blocks of a page and the elements that hold them; of the whole page also what is hidden, navigates, comments or stands
    in for scripts. Never fails; a page without text has no blocks."""
    page = np.frombuffer(html.encode("utf-8", "replace"), dtype=np.uint8)
    tokens = read_tokens(page, has_scripts=not is_whole)
    decoded = decode_texts(page, tokens)
    title, left_out, holders, *elements, kinds, texts, are_code, ends = _build(
        tokens.kinds, tokens.names, tokens.bits, words_of(page, tokens), *decoded, *_tables(), is_whole
    )
    written = write_texts(Pieces(kinds, texts, are_code, ends), *decoded)
    text = written.characters.tobytes().decode()
    ends_B = written.ends_B.tolist()
    blocks = [text[start:end] for start, end in zip([0, *ends_B], ends_B, strict=False)]
    shown = [number for number, block in enumerate(blocks) if block]
    parents, tags, words = (column.tolist() for column in elements)
    title_text = "" if title < 0 else decoded.characters[decoded.starts[title] : decoded.ends[title]].tobytes().decode()
    return Page(
        " ".join(title_text.split()),
        [blocks[number] for number in shown],
        holders[shown].tolist(),
        written.link_characters_B[shown].tolist(),
        parents,
        tags,
        words,
        left_out,
    )


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """The table of elements, and by the same slots their PROPERTIES and their numbers in TAGS."""
    table = element_table({*TAGS[1:], *(name for _, names in _PROPERTIES for name in names)})
    properties = np.zeros((len(table), 2), dtype=np.int64)
    for bit, names in _PROPERTIES:
        for name in names:
            properties[pack_name(name) % len(table), 0] |= bit
    for number, tag in enumerate(TAGS[1:], 1):
        properties[pack_name(tag) % len(table), 1] = number
    return table, properties


@numba.njit(cache=True, nogil=True)
def _letters(characters: np.ndarray, is_markup: bool) -> int:
    """How many letters UTF-8 holds, those of tags left out of markup."""
    letters = 0
    is_tag = False
    for byte in characters:
        if is_markup and byte in (0x3C, 0x3E):
            is_tag = byte == 0x3C
        # E2 leads punctuation; EE and EF private and compatibility forms, F0 emoji
        letters += not is_tag and (0x41 <= (byte & 0xDF) <= 0x5A or (0xC3 <= byte < 0xEE and byte != 0xE2))
    return letters


@numba.njit(cache=True, nogil=True)
def _build(
    kinds: np.ndarray,
    names: np.ndarray,
    bits: np.ndarray,
    words: np.ndarray,
    characters: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    table: np.ndarray,
    properties: np.ndarray,
    is_whole: bool,
) -> tuple[
    int, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray
]:  # fmt: skip
    """The token that is the title, -1 for none; how many letters are left out; of each block the element that holds it; of each
    element its parent, tag and bits; and the Pieces of the blocks, field by field."""
    count = len(kinds)
    holders_B = np.empty(count + 1, dtype=np.int32)
    are_code_B = np.empty(count + 1, dtype=np.bool_)
    piece_ends_B = np.empty(count + 1, dtype=np.int32)
    piece_kinds = np.empty(count, dtype=np.uint8)
    piece_tokens = np.empty(count, dtype=np.int32)
    parents_E = np.empty(2 * count + 2, dtype=np.int32)  # each tag begins or closes one element, and may begin a link anew
    tags_E = np.empty(2 * count + 2, dtype=np.int16)
    words_E = np.empty(2 * count + 2, dtype=np.int32)
    blocks = pieces = elements = 0
    first_piece = 0  # of the block that is being put together
    title = -1
    letters_left_out = 0

    stack = np.zeros((MAX_DEPTH, COLUMNS), dtype=np.int64)
    stack[0, NAME], stack[1, NAME], stack[1, TAG] = _HTML, _BODY, _BODY_NUMBER
    stack[0, PLACE] = stack[1, PLACE] = -1
    size = 2
    left_out = MAX_DEPTH  # where on the stack the element is in which nothing is shown
    roles = np.zeros(4, dtype=np.int64)
    open_names = np.zeros(256, dtype=np.int64)  # by their last letters, to save looking for those that are not open

    for token in range(count + 1):
        kind = kinds[token] if token < count else END
        if kind <= NOSCRIPT:
            if kind == TITLE:
                if title < 0 and not roles[IS_FOREIGN]:
                    title = token
            elif kind == NOSCRIPT or (left_out < size and not stack[left_out, PROPERTIES] & WITHOUT_TEXT):
                letters_left_out += _letters(characters[starts[token] : ends[token]], kind == NOSCRIPT)
            elif left_out >= size:
                is_blank = True
                for position in range(starts[token], ends[token]):
                    if characters[position] > 0x20:
                        is_blank = False
                        break
                if not is_blank or pieces > first_piece or roles[IS_CODE]:
                    piece_kinds[pieces], piece_tokens[pieces] = LINK if roles[A_LINK] else PLAIN, token
                    pieces += 1
            continue
        name = names[token] if token < count else _HTML
        slot = name % len(table)
        is_known = table[slot, NAME] == name
        own_kind = table[slot, KIND] if is_known else 0
        own_class = table[slot, CLASS] if is_known else 0
        own_properties = properties[slot, 0] if is_known else 0
        if kind == START and own_kind & ONCE:
            if name in (_HTML, _BODY):
                place = 0 if name == _HTML else 1
                more = words[token] & ~(LEFT_OUT | COMMENTS)  # style sheets hide a page until its scripts show it
                stack[place, BITS] |= more
                if stack[place, PLACE] >= 0:
                    words_E[stack[place, PLACE]] |= more
            continue
        if kind == START and own_kind & IN_TABLE and outermost(stack, size, 2, TABLE, TABLE) < 0:
            continue
        is_left_out = kind == START and own_properties & WITHOUT_TEXT
        if kind == START and not is_whole:
            is_left_out |= own_properties & LANDMARK or bits[token] & HIDDEN or words[token] & LEFT_OUT
            is_left_out |= words[token] & COMMENTS and name != _SPAN
        opens = kind == START
        for step in range(3):
            closed = -1
            ends_block = False
            if step == 0:  # an element of HTML ends what is foreign to it
                if opens and roles[IS_FOREIGN] and own_class & SPECIAL & ~SCOPE:
                    closed = outer_foreign(stack, size)
            elif step == 1:
                if opens and is_known and table[slot, CLOSES]:
                    first = max(size - 1, 2) if own_kind & INNERMOST else 2
                    closed = outermost(stack, size, first, table[slot, CLOSES], table[slot, STOPS])
                    opens = closed < 0 or not own_kind & TOGGLE
                elif not opens and open_names[name & 0xFF]:
                    closed = innermost(stack, size, 2, name, table[slot, END_STOPS] if is_known else SPECIAL)
                if closed < 0 and not opens and own_class == P:  # that stands for an empty one
                    ends_block = left_out >= size
            else:
                ends_block = token == count or (left_out >= size and opens and not is_left_out and not own_properties & INLINE)
            shown = min(left_out, size)
            if closed >= 0 and not stack[closed, KIND] & FORMATTING:
                ends_block = ends_a_block(stack, shown, closed)
            if ends_block and pieces > first_piece:
                holder = shown - 1
                while stack[holder, PROPERTIES] & INLINE:
                    holder -= 1
                known = holder
                while known >= 0 and stack[known, PLACE] < 0:
                    known -= 1
                for index in range(known + 1, holder + 1):
                    parents_E[elements] = stack[index - 1, PLACE] if index else -1
                    tags_E[elements], words_E[elements] = stack[index, TAG], stack[index, BITS]
                    stack[index, PLACE] = elements
                    elements += 1
                holders_B[blocks], are_code_B[blocks] = stack[holder, PLACE], roles[IS_CODE] > 0
                piece_ends_B[blocks] = first_piece = pieces
                blocks += 1
                if blocks == MOST_BLOCKS:
                    break
            if closed >= 0:
                if closed <= left_out < size:
                    is_around = stack[closed, KIND] & FORMATTING and closed < left_out
                    left_out = left_out - 1 if is_around else MAX_DEPTH
                size = close(stack, size, shown, closed, roles, open_names)
        if blocks == MOST_BLOCKS:
            break
        if left_out >= size and not is_left_out and pieces > first_piece and (name == _BR or (opens and own_properties & SPACED)):
            piece_kinds[pieces], piece_tokens[pieces] = BREAK if name == _BR else CELL, token
            pieces += 1
        if not opens or own_kind & VOID or size == MAX_DEPTH:
            continue
        if bits[token] & SELF_CLOSING and (roles[IS_FOREIGN] or own_class & FOREIGN):
            continue
        role = IS_FOREIGN if own_class & FOREIGN else NO_ROLE
        if left_out >= size and not is_left_out:
            if own_class & ANCHOR and bits[token] & HAS_TARGET:
                role = A_LINK
            elif own_properties & CODE_TEXT:
                role = IS_CODE
        elif left_out >= size:
            left_out = size
        stack[size, NAME], stack[size, KIND], stack[size, CLASS] = name, own_kind, own_class
        stack[size, PROPERTIES], stack[size, TAG] = own_properties, properties[slot, 1] if is_known else 0
        stack[size, BITS], stack[size, PLACE], stack[size, ROLE] = words[token], -1, role
        roles[role] += 1
        open_names[name & 0xFF] += 1
        size += 1
    return (
        title, letters_left_out, holders_B[:blocks], parents_E[:elements], tags_E[:elements], words_E[:elements],
        piece_kinds[:pieces], piece_tokens[:pieces], are_code_B[:blocks], piece_ends_B[:blocks],
    )  # fmt: skip
