"""Blocks of a page, token by token, in plain Python: slow, and written to be read."""

import re
from typing import NamedTuple

from pipeline.extract.html.elements import (
    ANCHOR,
    DIVISION,
    FOREIGN,
    FORMATTING,
    IN_TABLE,
    INNERMOST,
    ONCE,
    ROW,
    ROWS,
    SCOPE,
    SPECIAL,
    TABLE,
    TOGGLE,
    VOID,
    P,
)
from pipeline.extract.html.elements import (
    CELL as CELL_CLASS,
)
from pipeline.extract.html.tokens import (
    END,
    HAS_TARGET,
    HIDDEN,
    NOSCRIPT,
    OPENS_A_PART,
    SELF_CLOSING,
    START,
    TITLE,
)
from pipeline.extract.main_text.blocks import _CELLS as CELL_NAMES
from pipeline.extract.main_text.blocks import _CODE as CODE_NAMES
from pipeline.extract.main_text.blocks import _HEADINGS as HEADINGS
from pipeline.extract.main_text.blocks import _INLINE as INLINE
from pipeline.extract.main_text.blocks import _LANDMARKS as LANDMARKS
from pipeline.extract.main_text.blocks import _LINES_OF_CODE as LINES_OF_CODE
from pipeline.extract.main_text.blocks import _SPACED as SPACED
from pipeline.extract.main_text.blocks import _WITHOUT_TEXT as WITHOUT_TEXT
from pipeline.extract.main_text.building import MAX_DEPTH
from pipeline.extract.main_text.class_names import (
    ACCORDION,
    CHARACTERS,
    CODE_CLASS,
    CODE_LINE,
    COLLAPSE,
    COMMENTS,
    DISPLAYED,
    FORMULA_AGAIN,
    HIDING_STYLE,
    LEFT_OUT,
    LINE_NUMBERS,
    OF_THE_TREES,
    WORD_KINDS,
)
from pipeline.extract.main_text.rendering import BREAK, CELL, GAP, LINE, LINK, MARK, PLAIN
from tests.pipeline.extract.html import restatement as elements
from tests.pipeline.extract.html.restatement import Element
from tests.pipeline.extract.main_text.restated_shown import (
    NAMES,
    Token,
    code_follows,
    holds_a_block,
    is_blank,
    is_row_of_data,
    is_tex,
    leads_to,
)

_RELATED = 1 << list(WORD_KINDS).index("related")
_OF_ACCORDIONS = _RELATED | 1 << list(WORD_KINDS).index("hidden")


class Piece(NamedTuple):
    """A text, line break or cell of a block; `token` is its number on the page."""

    kind: int
    token: int
    text: str = ""


def letters_of(text: str) -> int:
    """How many characters are letters, by their first byte in UTF-8."""
    return sum(
        re.fullmatch("[A-Za-z]", character) is not None or (0xC3 <= (lead := character.encode()[0]) < 0xEE and lead != 0xE2)
        for character in text
    )


class Builder:
    """Blocks of a page, token by token."""

    def __init__(self, tokens: list[Token], is_whole: bool) -> None:
        self.tokens = tokens
        self.is_whole = is_whole
        self.open = [Element("html"), Element("body")]
        self.pieces: list[Piece] = []  # of the block that is being built
        self.blocks: list[tuple[list[Piece], bool, int]] = []  # pieces, whether it is code, number of the holder
        self.numbered: list[Element] = []
        self.parents: list[int] = []
        self.title: str | None = None
        self.letters_left_out = 0
        self.formula_is_tex = False
        self.row_of_data = -1

    def shows(self) -> bool:
        return elements.shown(self.open) == len(self.open)

    def is_inside(self, what: str) -> bool:
        return any(getattr(element, what) for element in self.open)

    def is_in_foreign(self) -> bool:
        return any(element.own_class & FOREIGN for element in self.open)

    def text(self, number: int, token: Token) -> None:
        piece = Piece(LINK if self.is_inside("is_link") else PLAIN, number, token.text)
        if token.kind == TITLE:
            if self.title is None and not self.is_in_foreign():
                self.title = token.text
        elif token.kind == NOSCRIPT:
            self.letters_left_out += letters_of(re.sub("<[^>]*", "", token.text))
        elif not self.shows():
            if self.open[elements.shown(self.open)].name not in WITHOUT_TEXT:
                self.letters_left_out += letters_of(token.text)
        elif self.is_in_foreign():
            if not is_blank(token.text) and (self.is_inside("is_tex") or not self.formula_is_tex):
                self.pieces.append(piece)
        elif self.is_inside("is_code"):
            in_rows = self.open[-1].own_class & (TABLE | ROWS | ROW)
            after_line = self.pieces and self.pieces[-1].kind == LINE and self.pieces[-1].token < 0
            if not (is_blank(token.text) and (in_rows or after_line)):
                self.pieces.append(piece)
        elif self.pieces or not is_blank(token.text):
            self.pieces.append(piece)

    def end_block(self) -> None:
        if not self.pieces:
            return
        around = self.open[: elements.shown(self.open)]
        roots = [place for place, element in enumerate(around) if element.is_code]
        around = around[: roots[0] + 1] if roots else around
        while around[-1].is_inline:
            around.pop()
        for outer, element in zip([None, *around], around, strict=False):
            if element.number < 0:
                element.number = len(self.numbered)
                self.numbered.append(element)
                self.parents.append(outer.number if outer else -1)
        self.blocks.append((self.pieces, self.is_inside("is_code"), around[-1].number))
        self.pieces = []

    def end_line(self, token: int) -> None:
        if self.pieces:
            self.pieces.append(Piece(LINE, token))

    def close(self, place: int) -> None:
        if place < 0:
            return
        closing = self.open[place : elements.shown(self.open)]
        if not self.open[place].kind & FORMATTING and any(not element.is_inline for element in closing):
            are_lines = all(element.is_inline or element.name in LINES_OF_CODE for element in closing)
            if are_lines and any(element.is_code for element in self.open[:place]):
                self.end_line(-1)
            else:
                self.end_block()
        self.open = elements.close(self.open, place)

    def end_tag(self, number: int, token: Token) -> None:
        place = elements.innermost(self.open, token.name, Element(token.name).end_stops)
        before = self.tokens[number - 1] if number else token
        is_empty = before.kind == START and before.name == token.name
        is_line = token.name in LINES_OF_CODE or before.words & CODE_LINE
        if is_empty and is_line and self.shows() and self.is_inside("is_code") and self.pieces:
            self.pieces.append(Piece(BREAK, number))
        self.close(place)
        if place < 0 and Element(token.name).own_class == P and self.shows():
            self.end_block()
        if token.name == "br" and self.shows() and self.pieces:
            self.pieces.append(Piece(BREAK, number))

    def start_tag(self, number: int, token: Token) -> None:
        element = Element(token.name, token.words)
        if element.kind & ONCE:
            if token.name in ("html", "body"):
                self.open[token.name == "body"].words |= token.words & OF_THE_TREES & ~(LEFT_OUT | COMMENTS)
            return
        if element.kind & IN_TABLE and elements.outermost(self.open, TABLE, TABLE) < 0:
            return
        if token.name == "table":
            self.row_of_data = -1
        in_cell = self.open[-1].own_class & CELL_CLASS and self.row_of_data == len(self.open) - 2
        is_paragraph = bool(element.own_class & (P | DIVISION) and in_cell)
        element.is_inline = is_paragraph or self.is_inline(number, token)
        if self.is_in_foreign() and element.own_class & SPECIAL & ~SCOPE:
            self.close(elements.outer_foreign(self.open))
        first = max(len(self.open) - 1, 2) if element.kind & INNERMOST else 2
        closed = elements.outermost(self.open, element.closes, element.stops, first)
        self.close(closed)
        opens = closed < 0 or not element.kind & TOGGLE
        is_hidden = self.leaves_out(number, token)
        if self.shows() and not is_hidden:
            self.show(number, token, element, opens, is_paragraph)
        closes_itself = token.bits & SELF_CLOSING and (element.own_class & FOREIGN or self.is_in_foreign())
        if opens and not element.kind & VOID and len(self.open) < MAX_DEPTH and not closes_itself:
            self.open_element(element, number, token, is_hidden)

    def show(self, number: int, token: Token, element: Element, opens: bool, is_paragraph: bool) -> None:
        """What a start tag ends and adds."""
        if opens and not element.is_inline:
            if self.is_inside("is_code") and token.name in LINES_OF_CODE:
                self.end_line(number)
            else:
                self.end_block()
        if token.name == "img":
            kind = self.kind_of_image(number, token)
            if kind is not None:
                is_link = self.is_inside("is_link") and kind == PLAIN
                self.pieces.append(Piece(LINK if is_link else kind, number, token.text))
        elif self.pieces:
            if token.name == "br":
                self.pieces.append(Piece(BREAK, number))
            elif opens and (is_paragraph or token.name in SPACED):
                self.pieces.append(Piece(GAP, number))
            elif opens and token.name in CELL_NAMES:
                self.pieces.append(Piece(CELL, number))
        if token.name == "math" and not self.is_in_foreign():
            self.formula_is_tex = is_tex(self.tokens, number)

    def open_element(self, element: Element, number: int, token: Token, is_hidden: bool) -> None:
        if element.own_class & ROW:
            is_data = not self.is_inside("is_code") and is_row_of_data(self.tokens, number, self.row_of_data >= 0)
            self.row_of_data = len(self.open) if is_data else -1
        if self.shows():
            element.is_left_out = is_hidden
            shows_text = not is_hidden and not element.own_class & FOREIGN
            element.is_link = bool(shows_text and element.own_class & ANCHOR and token.bits & HAS_TARGET)
            element.is_code = shows_text and not element.is_link and self.is_code(element, number, token)
            is_other = shows_text and not element.is_link and not element.is_code
            element.is_tex = is_other and token.name in WITHOUT_TEXT and self.is_in_foreign()
            element.is_accordion = bool(is_other and not element.is_tex and token.words & ACCORDION and not element.is_inline)
        if (
            element.is_accordion
            or self.is_inside("is_accordion")
            or (token.words & _RELATED and leads_to(self.tokens, number, COLLAPSE))
        ):
            element.words &= ~_OF_ACCORDIONS
        element.words &= OF_THE_TREES | ACCORDION | COLLAPSE
        self.open.append(element)

    def is_code(self, element: Element, number: int, token: Token) -> bool:
        if token.name in CODE_NAMES or (not element.is_inline and token.words & CODE_CLASS):
            return True
        return token.name == "table" and not self.is_inside("is_code") and leads_to(self.tokens, number, CODE_LINE)

    def is_inline(self, number: int, token: Token) -> bool:
        """Whether an element ends no line, by its name or by what it holds."""
        is_unknown = token.name not in NAMES
        if (is_unknown or token.name == "math") and not self.is_in_foreign():
            return not (token.words & DISPLAYED or (is_unknown and holds_a_block(self.tokens, number)))
        return is_unknown or token.name in INLINE

    def kind_of_image(self, number: int, token: Token) -> int | None:
        """PLAIN for an image whose `alt` is text, MARK for a character without one."""
        alt = token.text.encode()
        if token.words & CHARACTERS:
            return MARK if is_blank(token.text) else PLAIN
        if is_blank(token.text) or len(alt) > 30:
            return None
        if alt[0] == 0xF0:
            return PLAIN
        follows = self.tokens[number + 1] if number + 1 < len(self.tokens) else None
        if not self.pieces or self.pieces[-1].token != number - 1 or follows is None or follows.kind > NOSCRIPT:
            return None
        before, after = self.tokens[number - 1].text, follows.text
        is_japanese = re.search("[\u3001\u300c\u300d\u3040-\u9fff]\\Z", before) and not before.endswith(token.text)
        return PLAIN if is_japanese and re.match("[\u3040-\u309f\u3001\u3002\u300d\u300f]", after) else None

    def leaves_out(self, number: int, token: Token) -> bool:
        """Whether the element of a start tag gives no text."""
        if token.name == "annotation":
            return not (self.formula_is_tex and token.words & CHARACTERS)
        if token.name in WITHOUT_TEXT and not (token.name == "button" and self.is_question(number, token)):
            return True
        before = self.tokens[number - 2] if number >= 2 else token
        if token.words & FORMULA_AGAIN and before.kind == END and before.name == "math":
            return True
        if self.is_whole:
            return False
        in_accordion = token.words & ACCORDION or self.is_inside("is_accordion")
        is_numbers = token.words & LINE_NUMBERS and token.name not in CODE_NAMES and not code_follows(self.tokens, number)
        is_comment = token.words & COMMENTS and token.name != "span"
        is_hidden = token.bits & HIDDEN and not token.words & COLLAPSE
        if token.words & LEFT_OUT and not (token.words & HIDING_STYLE and in_accordion):
            return True
        return bool(is_numbers or token.name in LANDMARKS or is_hidden or is_comment)

    def is_question(self, number: int, token: Token) -> bool:
        """Whether a button is the heading of a part."""
        holder = next(element for element in reversed(self.open) if not element.is_inline)
        if holder.name in HEADINGS and not self.pieces:
            return True
        if not token.bits & OPENS_A_PART:
            return False
        if token.words & ACCORDION or self.is_inside("is_accordion"):
            return True
        for later in self.tokens[number + 1 : number + 16]:
            if later.kind == END and later.name == "button":
                return False
            text = later.text.rstrip("".join(map(chr, range(0x21)))).encode()
            if later.kind <= NOSCRIPT and len(text) >= 3 and text.endswith(tuple(mark.encode() for mark in "?？。か")):
                return True
        return False
