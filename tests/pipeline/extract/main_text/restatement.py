"""Blocks of a page, their texts and what is counted in these, in plain Python: slow, and written to be read."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from pipeline.extract.html.elements import (
    ANCHOR,
    FOREIGN,
    FORMATTING,
    IN_TABLE,
    INNERMOST,
    ONCE,
    SCOPE,
    SPECIAL,
    TABLE,
    TOGGLE,
    VOID,
    P,
    pack_name,
)
from pipeline.extract.html.references import decode_texts
from pipeline.extract.html.tokens import END, HAS_TARGET, HIDDEN, NOSCRIPT, SELF_CLOSING, START, TITLE, read_tokens
from pipeline.extract.main_text.block_builder import MAX_DEPTH, MOST_BLOCKS
from pipeline.extract.main_text.blocks import _CODE, _INLINE, _LANDMARKS, _SPACED, _WITHOUT_TEXT, TAGS, Page
from pipeline.extract.main_text.class_names import COMMENTS, LEFT_OUT, words_of
from pipeline.extract.main_text.rendering import BREAK, CELL, LINK, PLAIN
from tests.pipeline.extract.html import restatement as elements
from tests.pipeline.extract.html.restatement import Element

NAMES = {*_CODE, *_INLINE, *_LANDMARKS, *_SPACED, *_WITHOUT_TEXT, *TAGS[1:], *elements._FACTS, *elements._HTML_INSIDE}
_BY_PACKED_NAME = {pack_name(name): name for name in NAMES}
SIGNS = {"#", "¶", "§", "🔗", "^", "↑", "↩", "↩︎", "[編集]", "[edit]"}


class Token(NamedTuple):
    """A tag with its name, bits and words, or a text."""

    kind: int
    name: str
    bits: int
    words: int
    text: str


class Piece(NamedTuple):
    """A text, line break or cell of a block; `token` is its number on the page."""

    kind: int
    token: int
    text: str = ""


def tokens_of(html: str, is_whole: bool) -> list[Token]:
    """The tokens of a page, by the compiled functions, which have restatements of their own."""
    page = np.frombuffer(html.encode("utf-8", "replace"), dtype=np.uint8)
    found = read_tokens(page, has_scripts=not is_whole)
    texts = decode_texts(page, found)
    tokens = []
    for number, (kind, words) in enumerate(zip(found.kinds.tolist(), words_of(page, found).tolist(), strict=True)):
        if kind in (START, END):
            packed = int(found.names[number])
            bits = int(found.bits[number])
            tokens.append(Token(kind, _BY_PACKED_NAME.get(packed, str(packed)), bits, words, ""))
        else:
            text = texts.characters[texts.starts[number] : texts.ends[number]].tobytes().decode()
            tokens.append(Token(kind, "", 0, 0, text))
    return tokens


def letters_of(text: str) -> int:
    """How many characters are letters, by their first byte in UTF-8."""
    return sum(
        re.fullmatch("[A-Za-z]", character) is not None or (0xC3 <= (lead := character.encode()[0]) < 0xEE and lead != 0xE2)
        for character in text
    )


class Builder:
    """Blocks of a page, token by token."""

    def __init__(self, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.open = [Element("html"), Element("body")]
        self.pieces: list[Piece] = []  # of the block that is being built
        self.blocks: list[tuple[list[Piece], bool, int]] = []  # pieces, whether it is code, number of the holder
        self.numbered: list[Element] = []
        self.parents: list[int] = []
        self.title: str | None = None
        self.letters_left_out = 0

    def shows(self) -> bool:
        return elements.shown(self.open) == len(self.open)

    def is_inside(self, what: str) -> bool:
        return any(getattr(element, what) for element in self.open)

    def is_in_foreign(self) -> bool:
        return any(element.own_class & FOREIGN for element in self.open)

    def text(self, number: int, token: Token) -> None:
        if token.kind == TITLE:
            if self.title is None and not self.is_in_foreign():
                self.title = token.text
        elif token.kind == NOSCRIPT:
            self.letters_left_out += letters_of(re.sub("<[^>]*", "", token.text))
        elif not self.shows():
            if self.open[elements.shown(self.open)].name not in _WITHOUT_TEXT:
                self.letters_left_out += letters_of(token.text)
        elif self.pieces or self.is_inside("is_code") or re.search("[^\0-\x20]", token.text):
            self.pieces.append(Piece(LINK if self.is_inside("is_link") else PLAIN, number, token.text))

    def end_block(self) -> None:
        if not self.pieces:
            return
        around = self.open[: elements.shown(self.open)]
        while around[-1].name in _INLINE:
            around.pop()
        for outer, element in zip([None, *around], around, strict=False):
            if element.number < 0:
                element.number = len(self.numbered)
                self.numbered.append(element)
                self.parents.append(outer.number if outer else -1)
        self.blocks.append((self.pieces, self.is_inside("is_code"), around[-1].number))
        self.pieces = []

    def close(self, place: int) -> None:
        if place < 0:
            return
        closing = self.open[place : elements.shown(self.open)]
        if not self.open[place].kind & FORMATTING and any(element.name not in _INLINE for element in closing):
            self.end_block()
        self.open = elements.close(self.open, place)

    def end_tag(self, number: int, token: Token) -> None:
        place = elements.innermost(self.open, token.name, Element(token.name).end_stops)
        self.close(place)
        if place < 0 and Element(token.name).own_class == P and self.shows():
            self.end_block()
        if token.name == "br" and self.shows() and self.pieces:
            self.pieces.append(Piece(BREAK, number))

    def start_tag(self, number: int, token: Token) -> None:
        element = Element(token.name, token.words)
        if element.kind & ONCE:
            if token.name in ("html", "body"):
                self.open[token.name == "body"].words |= token.words & ~(LEFT_OUT | COMMENTS)
            return
        if element.kind & IN_TABLE and elements.outermost(self.open, TABLE, TABLE) < 0:
            return
        if self.is_in_foreign() and element.own_class & SPECIAL & ~SCOPE:
            self.close(elements.outer_foreign(self.open))
        first = max(len(self.open) - 1, 2) if element.kind & INNERMOST else 2
        closed = elements.outermost(self.open, element.closes, element.stops, first)
        self.close(closed)
        opens = closed < 0 or not element.kind & TOGGLE
        if self.shows() and not self.leaves_out(token):
            if opens and token.name not in _INLINE:
                self.end_block()
            if self.pieces and (token.name == "br" or (opens and token.name in _SPACED)):
                self.pieces.append(Piece(BREAK if token.name == "br" else CELL, number))
        closes_itself = token.bits & SELF_CLOSING and (element.own_class & FOREIGN or self.is_in_foreign())
        if opens and not element.kind & VOID and len(self.open) < MAX_DEPTH and not closes_itself:
            self.open_element(element, token)

    def open_element(self, element: Element, token: Token) -> None:
        if self.shows():
            element.is_left_out = self.leaves_out(token)
            shows_text = not element.is_left_out and not element.own_class & FOREIGN
            element.is_link = bool(shows_text and element.own_class & ANCHOR and token.bits & HAS_TARGET)
            element.is_code = shows_text and element.name in _CODE
        self.open.append(element)

    def leaves_out(self, token: Token) -> bool:
        """Whether the element of a start tag gives no text."""
        if token.name in _WITHOUT_TEXT or self.is_whole:
            return token.name in _WITHOUT_TEXT
        is_comment = token.words & COMMENTS and token.name != "span"
        return bool(token.name in _LANDMARKS or token.bits & HIDDEN or token.words & LEFT_OUT or is_comment)


def page_of(html: str, is_whole: bool = False) -> Page:
    """What `read_page` returns."""
    builder = Builder(is_whole)
    for number, token in enumerate(tokens_of(html, is_whole)):
        if token.kind == START:
            builder.start_tag(number, token)
        elif token.kind == END:
            builder.end_tag(number, token)
        else:
            builder.text(number, token)
        if len(builder.blocks) == MOST_BLOCKS:
            break
    builder.end_block()
    written = [(*rendered(pieces, is_code), holder) for pieces, is_code, holder in builder.blocks]
    written = [(text, links, holder) for text, links, holder in written if text]
    return Page(
        " ".join((builder.title or "").split()),
        [text for text, _, _ in written],
        [holder for _, _, holder in written],
        [links for _, links, _ in written],
        builder.parents,
        [TAGS.index(element.name) if element.name in TAGS else 0 for element in builder.numbered],
        [element.words for element in builder.numbered],
        builder.letters_left_out,
    )


def one_text_each(pieces: Iterable[Piece]) -> Iterator[tuple[int, list[str]]]:
    """The pieces, with texts of one kind that only a comment parts taken together."""
    for (kind, _), group in groupby(enumerate(pieces), key=lambda one: (one[1].kind, one[1].token - one[0])):
        texts = [piece.text for _, piece in group]
        yield from [(kind, texts)] if kind in (PLAIN, LINK) else [(kind, [])] * len(texts)


def needs_no_space(character: str) -> bool:
    return re.fullmatch("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]", character) is not None


def separator(waiting: set[str], before: str, after: str) -> str:
    """What white space between two characters becomes."""
    if "cell" not in waiting and "line of the source" in waiting and needs_no_space(before) and needs_no_space(after):
        return ""
    return " "


def rendered(pieces: list[Piece], is_code: bool) -> tuple[str, int]:
    """The text of a block, and how many characters of links it has."""
    written, waiting, links = "", set[str](), 0
    for kind, texts in one_text_each(pieces):
        if kind == BREAK and is_code:
            written += "\n" * (written != "")
        elif kind in (BREAK, CELL):
            waiting = waiting | {"line break" if kind == BREAK else "cell"}
        if kind in (BREAK, CELL):
            continue
        before = written, waiting
        first = -1  # where the first character of the text is that is seen
        for text in texts:
            for character in (text.replace("\r\n", "\n") if is_code else text).replace("\r", "\n"):
                if is_code and character == "\n" and not written:
                    continue
                if not is_code and character in " \t\n\f":
                    waiting = waiting | {"line of the source" if character == "\n" else "space"}
                    continue
                if not is_code and character.isspace() and (not written.strip() or "line break" in waiting):
                    continue
                if waiting and written:
                    is_break = "line break" in waiting
                    written = written.rstrip() + "\n" if is_break else written + separator(waiting, written[-1], character)
                waiting = set()
                if first < 0 and not character.isspace():
                    first = len(written)
                written += character
        if kind == LINK and first >= 0:
            if written.rstrip()[first:] in SIGNS:
                written, waiting = before
            else:
                links += len(written.rstrip()) - first
    return written.rstrip(), links


# Characters as the features tell them apart.
_HIRAGANA, _KATAKANA = "[\u3041-\u309f]", "[\u30a0-\u30fa\u30fc-\u30ff\uff66-\uff9f]"
_KANJI = "[\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0010ffff]"
_LETTER, _DIGIT = "[A-Za-z\xc0-\u1fff]", "[0-9０-９]"
_SENTENCE_END = '[。！．？｡]|[!.?](?=[\0-"]|\\Z)'
_PUNCTUATION = "[,、，/<>|・«·»›｜({\\[「『【（。！．？｡!.?]|[\0-\x20\xa0\u3000]"


def measured(text: str, link_characters: int) -> dict[str, float]:
    """The columns of TEXT for one block."""

    def count(pattern: str) -> int:
        return len(re.findall(pattern, text))

    tokens = count(f"(?:{_LETTER}|{_DIGIT})+|{_HIRAGANA}|{_KATAKANA}|{_KANJI}")
    symbols = len(re.sub("|".join([_LETTER, _DIGIT, _HIRAGANA, _KATAKANA, _KANJI, _PUNCTUATION]), "", text))
    colon = re.search("[:»：]", text)
    return {
        "tokens": tokens,
        "letters": count("|".join([_LETTER, _HIRAGANA, _KATAKANA, _KANJI])),
        "hiragana_share": count(_HIRAGANA) / len(text),
        "kanji_share": count(_KANJI) / len(text),
        "digit_share": count(_DIGIT) / len(text),
        "capital_share": count("[A-Z]") / len(text),
        "sentence_ends": count(_SENTENCE_END),
        "commas": count("[,、，]"),
        "separators": count("[/<>|・«·»›｜]"),
        "lines": 1 + count("\n"),
        "link_share": min(1, link_characters / len(text)),
        "ends_a_sentence": text[-1] in '.!?。．！？")」）',
        "ends_with_colon": text[-1] in ":：",
        "brackets": count(r"[(\[{「『【（]"),
        "symbol_share": symbols / len(text),
        "characters_per_token": len(text) / max(1, tokens),
        "characters_before_colon": min(colon.start(), 60) if colon else 60,
    }
