"""The blocks of an HTML page: its paragraphs, headings, list items, table rows and lines of code, in page order.

A block is a run of text that is interrupted only by inline elements. It knows the element that contains it; each element knows
its parent, its tag and the kinds of words in its class and id. Content that is never shown or only controls the page (buttons,
fields, navigation) and line numbers next to code give no text; `shown` has the exceptions.

`block_builder` finds the blocks in one pass over the tokens, without a tree. Time and memory are linear in the page, whatever it
contains: elements are nested at most MAX_DEPTH deep, and a page is read up to its first MOST_BLOCKS blocks.
"""

import functools
from typing import NamedTuple

import numpy as np

from pipeline.extract.html.elements import element_table, pack_name
from pipeline.extract.html.open_elements import (
    CODE_TEXT,
    HEADING,
    HTML_INSIDE,
    INLINE,
    LANDMARK,
    LINE_OF_CODE,
    NEXT_CELL,
    SPACED,
    UNKNOWN,
    WITHOUT_TEXT,
    row_of,
)
from pipeline.extract.html.references import Texts, decode_texts
from pipeline.extract.html.tokens import Tokens, read_tokens
from pipeline.extract.main_text.block_builder import Blocks, build_blocks
from pipeline.extract.main_text.building import (
    ELEMENT_TAG,
    HOLDER,
    IS_CODE_BLOCK,
    PARENT,
    PIECE_KIND,
    PIECE_TOKEN,
    PIECES_END,
    WORDS,
)
from pipeline.extract.main_text.class_names import words_of
from pipeline.extract.main_text.rendering import Pieces, write_texts
from pipeline.extract.main_text.shown import OWN_PROPERTIES, OWN_TAG

# Elements whose content is not shown or not text; `rt` and `rp` would put the reading of a word into its sentence.
_WITHOUT_TEXT = frozenset((
    "title", "script", "style", "template", "svg", "iframe", "object", "embed", "canvas", "audio", "video", "select",
    "option", "datalist", "textarea", "button", "input", "annotation", "annotation-xml", "rt", "rp", "rtc", "map",
    "area", "applet", "frameset",
))  # fmt: skip
_LANDMARKS = frozenset(["nav", "footer"])
# Elements that do not end a line, by the browser's default style sheet or because they show nothing. All others that HTML has end
# one; names that it lacks, which include those of MathML, do not, unless `shown.holds_a_block`.
_INLINE = frozenset((
    "a", "abbr", "acronym", "annotation", "b", "base", "basefont", "bdi", "bdo", "bgsound", "big", "blink", "br", "button",
    "cite", "code", "col", "data",
    "del", "dfn", "em", "font", "frame", "i", "img", "ins", "kbd", "keygen", "label", "link", "mark", "math", "meta", "nobr",
    "output", "param", "picture", "q", "rb", "ruby", "s", "samp", "slot", "small", "source", "span", "strike", "strong", "sub",
    "mi", "mn", "mo", "ms", "mtext", "sup", "td", "th", "time", "track", "tt", "u", "var", "wbr",
))  # fmt: skip
# Further elements that end a line, which `html.elements` need not know.
_BLOCKS = frozenset(["frameset", "legend", "noframes", "noscript", "plaintext"])
# Inline elements that add a space: buttons, and `link` and `meta`, which carry a value between two others.
_SPACED = frozenset(["button", "link", "meta"])
_CELLS = frozenset(["td", "th"])
_CODE = frozenset(["pre", "listing", "xmp"])
_LINES_OF_CODE = frozenset(["div", "li", "listing", "ol", "pre", "table", "tbody", "tfoot", "thead", "tr", "ul"])
_HEADINGS = frozenset(["dt", "h1", "h2", "h3", "h4", "h5", "h6", "summary"])
# Elements of SVG and MathML that may contain HTML.
_HTML_INSIDE = frozenset(["annotation-xml", "desc", "foreignobject", "mi", "mn", "mo", "ms", "mtext"])
# Tags that help to tell main text from the rest. A tag's number is its position in this list, 0 for all others.
TAGS = (
    "", "p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "dd", "dt", "pre", "blockquote", "div", "figcaption", "td",
    "article", "main", "aside", "header", "form", "section", "ul", "ol", "dl", "table", "body", "figure",
    "address", "details", "center",
)  # fmt: skip
_PROPERTIES = (
    (WITHOUT_TEXT, _WITHOUT_TEXT), (LANDMARK, _LANDMARKS), (INLINE, _INLINE), (CODE_TEXT, _CODE),
    (HTML_INSIDE, _HTML_INSIDE), (SPACED, _SPACED), (NEXT_CELL, _CELLS), (LINE_OF_CODE, _LINES_OF_CODE), (HEADING, _HEADINGS),
    (0, _BLOCKS),
)  # fmt: skip


class Page(NamedTuple):
    r"""The blocks of a page: by block its text (lines separated by "\n"), the number of the element that contains it, and how
    many of its characters are in links. By element that contains a block, directly or not: the number of its parent, which is
    smaller (-1 for the first), the number of its tag in TAGS, and the bits of its WORD_KINDS."""

    title: str  # on one line, "" without one
    texts: list[str]
    holders: list[int]
    link_characters: list[int]
    parents: list[int]
    tags: list[int]
    words: list[int]
    letters_left_out: int  # that only the whole page has


class Source(NamedTuple):
    """What a page was read from: its bytes, its tokens with their texts, the blocks as they were built, and the numbers of those
    that show a text, which are the page's blocks."""

    page: np.ndarray
    tokens: Tokens
    texts: Texts
    built: Blocks
    shown: list[int]


def read_page(html: str, is_whole: bool = False) -> Page:
    """The blocks of a page and the elements that contain them. The whole page (`is_whole`) includes hidden content, navigation,
    comments and `noscript`. Never fails; a page without text has no blocks."""
    return read_source(html, is_whole)[0]


def read_source(html: str, is_whole: bool) -> tuple[Page, Source]:
    """What `read_page` returns, and what it was read from."""
    page = np.frombuffer(html.encode("utf-8", "replace"), dtype=np.uint8)
    tokens = read_tokens(page, has_scripts=not is_whole)
    decoded = decode_texts(page, tokens)
    built = build_blocks(tokens, words_of(page, tokens), decoded, _element_rows(), is_whole)
    written = write_texts(
        Pieces(built.pieces[PIECE_KIND], built.pieces[PIECE_TOKEN], built.blocks[IS_CODE_BLOCK], built.blocks[PIECES_END]),
        *decoded,
    )
    text = written.characters.tobytes().decode()
    ends_B = written.ends_B.tolist()
    texts = [text[start:end] for start, end in zip([0, *ends_B], ends_B, strict=False)]
    shown = [number for number, shown_text in enumerate(texts) if shown_text]
    title = b"" if built.title < 0 else decoded.characters[decoded.starts[built.title] : decoded.ends[built.title]].tobytes()
    read = Page(
        " ".join(title.decode().split()),
        [texts[number] for number in shown],
        built.blocks[HOLDER, shown].tolist(),
        written.link_characters_B[shown].tolist(),
        built.elements[PARENT].tolist(),
        built.elements[ELEMENT_TAG].tolist(),
        built.elements[WORDS].tolist(),
        built.letters_left_out,
    )
    return read, Source(page, tokens, decoded, built, shown)


@functools.cache
def _element_rows() -> np.ndarray:
    """The table of elements with their PROPERTIES and their numbers in TAGS as two more columns; the last row is for names that
    HTML lacks."""
    known = element_table({*TAGS[1:], *(name for _, names in _PROPERTIES for name in names)})
    table = np.concatenate([known, np.zeros((len(known), 2), dtype=np.int64)], axis=1)
    for bit, names in _PROPERTIES:
        for name in names:
            table[row_of(known, pack_name(name)), OWN_PROPERTIES] |= bit
    for number, tag in enumerate(TAGS[1:], 1):
        table[row_of(known, pack_name(tag)), OWN_TAG] = number
    table[-1, OWN_PROPERTIES] = INLINE | UNKNOWN
    return table
