"""Texts of the blocks of a page and what is counted in these, in plain Python: slow, and written to be read."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from pipeline.extract.html.tokens import (
    END,
    START,
)
from pipeline.extract.main_text.blocks import TAGS, Page
from pipeline.extract.main_text.building import MOST_BLOCKS
from pipeline.extract.main_text.rendering import BREAK, CELL, GAP, LINE, LINK, MARK, PLAIN
from tests.pipeline.extract.main_text.restated_blocks import Builder, Piece
from tests.pipeline.extract.main_text.restated_shown import tokens_of

SIGNS = {"#", "¶", "§", "🔗", "^", "↑", "↩", "↩︎", "[編集]", "[edit]"}


def page_of(html: str, is_whole: bool = False) -> Page:
    """What `read_page` returns."""
    builder = Builder(tokens_of(html, is_whole), is_whole)
    for number, token in enumerate(builder.tokens):
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
    if "cell" in waiting:
        return "\t"
    if "gap" not in waiting and "line of the source" in waiting and needs_no_space(before) and needs_no_space(after):
        return ""
    return " "


def rendered(pieces: list[Piece], is_code: bool) -> tuple[str, int]:
    """The text of a block, and how many characters of links it has."""
    written, waiting, links = "", set[str](), 0
    for kind, texts in one_text_each(pieces):
        if kind in (BREAK, LINE, CELL, GAP):
            if is_code and written and (kind == BREAK or not written.endswith("\n")):
                written += {CELL: "\t", GAP: " "}.get(kind, "\n")
            elif not is_code:
                waiting = waiting | {{CELL: "cell", GAP: "gap"}.get(kind, "line break")}
            continue
        before = written, waiting
        first = -1  # where the first character of the text is that is seen
        for text in texts if kind != MARK else ["〓"]:
            for character in (text.replace("\r\n", "\n") if is_code else text).replace("\r", "\n"):
                if is_code and character == "\n" and not written:
                    continue
                if not is_code and character in " \t\n\f":
                    waiting = waiting | {"line of the source" if character == "\n" else "space"}
                    continue
                if not is_code and character.isspace() and (not written.strip() or waiting & {"line break", "cell"}):
                    continue
                if waiting and written:
                    is_break = "line break" in waiting
                    ended = written.rstrip() if waiting & {"line break", "cell"} else written
                    written = ended + ("\n" if is_break else separator(waiting, written[-1], character))
                waiting = set()
                if first < 0 and not character.isspace():
                    first = len(written)
                written += " " if is_code and character == "\xa0" else character
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
