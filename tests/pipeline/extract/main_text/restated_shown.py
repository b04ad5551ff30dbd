"""What the tokens after a start tag say about it, in plain Python."""

import re
from typing import NamedTuple

import numpy as np

from pipeline.extract.html.elements import (
    CELL as CELL_CLASS,
)
from pipeline.extract.html.elements import (
    DIVISION,
    ROWS,
    TABLE,
    P,
    pack_name,
)
from pipeline.extract.html.references import decode_texts
from pipeline.extract.html.tokens import (
    END,
    NOSCRIPT,
    START,
    read_tokens,
)
from pipeline.extract.main_text.blocks import _INLINE as INLINE
from pipeline.extract.main_text.blocks import _PROPERTIES, TAGS
from pipeline.extract.main_text.blocks import _WITHOUT_TEXT as WITHOUT_TEXT
from pipeline.extract.main_text.class_names import (
    CHARACTERS,
    words_of,
)
from tests.pipeline.extract.html import restatement as elements
from tests.pipeline.extract.html.restatement import Element

NAMES = {*TAGS[1:], *elements._FACTS, *(name for _, names in _PROPERTIES for name in names)}
_BY_PACKED_NAME = {pack_name(name): name for name in NAMES}


class Token(NamedTuple):
    """A tag with its name, bits, words and `alt`, or a text."""

    kind: int
    name: str
    bits: int
    words: int
    text: str


def tokens_of(html: str, is_whole: bool) -> list[Token]:
    """The tokens of a page, by the compiled functions, which have restatements of their own."""
    page = np.frombuffer(html.encode("utf-8", "replace"), dtype=np.uint8)
    found = read_tokens(page, has_scripts=not is_whole)
    texts = decode_texts(page, found)
    tokens = []
    for number, (kind, words) in enumerate(zip(found.kinds.tolist(), words_of(page, found).tolist(), strict=True)):
        text = texts.characters[texts.starts[number] : texts.ends[number]].tobytes().decode()
        if kind in (START, END):
            packed = int(found.names[number])
            bits = int(found.bits[number])
            tokens.append(Token(kind, _BY_PACKED_NAME.get(packed, str(packed)), bits, words, text))
        else:
            tokens.append(Token(kind, "", 0, 0, text))
    return tokens


def is_blank(text: str) -> bool:
    return re.fullmatch("[\0-\x20]*", text) is not None


def holds_a_block(tokens: list[Token], number: int) -> bool:
    depth = 0
    for token in tokens[number + 1 : number + 200]:
        if token.kind not in (START, END):
            continue
        if token.name == tokens[number].name:
            if token.kind == END and depth == 0:
                return False
            depth += 1 if token.kind == START else -1
        elif token.name in NAMES and token.name not in INLINE and token.name not in WITHOUT_TEXT:
            return token.kind == START
    return number + 200 <= len(tokens)


def is_tex(tokens: list[Token], number: int) -> bool:
    for token in tokens[number + 1 : number + 4_000]:
        if token.kind == END and token.name == "math":
            return False
        if token.kind == START and token.name == "annotation" and token.words & CHARACTERS:
            return True
    return False


def leads_to(tokens: list[Token], number: int, words: int) -> bool:
    return any(token.kind == START and token.words & words for token in tokens[number + 1 : number + 16])


def is_row_of_data(tokens: list[Token], number: int, follows_one: bool) -> bool:
    cells = paragraphs = size = 0
    is_filled = False
    for place, token in enumerate(tokens[number + 1 : number + 400], number + 1):
        own_class = Element(token.name).own_class
        if token.kind <= NOSCRIPT:
            size += len(token.text.encode())
            if size > 300:
                return False
            cells += not is_filled and not is_blank(token.text)
            is_filled = is_filled or not is_blank(token.text)
        elif token.name == "tr":
            return cells > 1 and (token.kind == START or follows_one or row_follows(tokens, place))
        elif own_class & (TABLE | ROWS):
            return token.kind == END and cells > 1 and follows_one
        elif token.kind == START and own_class & CELL_CLASS:
            paragraphs, size, is_filled = 0, 0, False
        elif token.kind == START and token.name in NAMES and token.name not in INLINE | WITHOUT_TEXT:
            paragraphs += 1
            if paragraphs > 1 or not own_class & (P | DIVISION):
                return False
    return False


def row_follows(tokens: list[Token], number: int) -> bool:
    starts = [token.name for token in tokens[number + 1 : number + 6] if token.kind == START]
    return "tr" in starts[:2]


def code_follows(tokens: list[Token], number: int) -> bool:
    starts = [token.name for token in tokens[number + 1 : number + 3] if token.kind == START]
    return bool(starts) and starts[0] in ("pre", "code")
