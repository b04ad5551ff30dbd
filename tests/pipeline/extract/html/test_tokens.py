"""Tokens of HTML, compared with a restatement of the standard's states as regular expressions."""

import re
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.html.elements import pack_name
from pipeline.extract.html.tokens import (
    CODE,
    END,
    HAS_TARGET,
    HIDDEN,
    HIDDEN_VALUE,
    OPENS_A_PART,
    SELF_CLOSING,
    START,
    STYLE,
    TEXT,
    TITLE,
    WORDS,
    read_tokens,
)


class Token(NamedTuple):
    """A token with its content: the name of a tag or the text, bits, the attributes kept, and the `alt` of a tag."""

    kind: int
    content: str
    bits: int = 0
    attributes: tuple[tuple[int, str], ...] = ()
    alt: str = ""


NAMES = ["p", "b", "a", "svg", "title", "script", "xmp", "textarea", "blockquote", "x-customelement", "x-customelements"]
PACKED = {pack_name(name): name for name in NAMES}


def tokens_of(html: str) -> list[Token]:
    """What `read_tokens` finds."""
    page = html.encode()
    found = read_tokens(np.frombuffer(page, dtype=np.uint8))
    tokens = []
    for number, kind in enumerate(found.kinds.tolist()):
        if kind <= CODE:
            tokens.append(Token(kind, page[found.starts[number] : found.ends[number]].decode()))
            continue
        attributes = tuple(
            (int(kept), page[start:end].decode())
            for owner, kept, start, end in zip(found.owners, found.attributes, found.value_starts, found.value_ends, strict=True)
            if owner == number
        )
        tokens.append(
            Token(
                kind,
                str(PACKED.get(packed := int(found.names[number]), packed)),
                int(found.bits[number]),
                attributes,
                page[found.starts[number] : found.ends[number]].decode(),
            )
        )
    return tokens


S = r"[\0-\x20]"
ATTRIBUTE = re.compile(
    rf"(?>(?:{S}|/)*)([^\0-\x20/>][^\0-\x20/>=]*+)(?:(?>{S}*)=(?>{S}*)(?>\"([^\"]*+)(\"|\Z)|'([^']*+)('|\Z)|([^\0-\x20>]*+)))?"
)
TAG = re.compile(r"<(/?)([a-zA-Z][^\0-\x20/>]*)")
COMMENT = re.compile(r"<!--(?:(?:-?>)|.*?(?:-->|--!>|\Z))|<[!?][^>]*(?:>|\Z)|</[^a-zA-Z>][^>]*(?:>|\Z)|</>", re.DOTALL)
KEPT = {
    **dict.fromkeys(("class", "id", "role", "itemprop", "encoding", "display"), WORDS),
    **{"style": STYLE, "hidden": HIDDEN_VALUE},
}


def restated(html: str) -> list[Token]:
    """The same by regular expressions on text, one construct after the other."""
    tokens: list[Token] = []
    text, position, foreign = "", 0, 0

    def flush() -> None:
        if text:
            tokens.append(Token(TEXT, text))

    while position < len(html):
        if comment := COMMENT.match(html, position):
            flush()
            text, position = "", comment.end()
            continue
        tag = TAG.match(html, position)
        if not tag:
            text, position = text + html[position], position + 1
            continue
        flush()
        text, position = "", tag.end()
        values: dict[str, str] = {}
        while attribute := ATTRIBUTE.match(html, position):
            values.setdefault(attribute[1].lower(), attribute[2] or attribute[4] or attribute[6] or "")
            position = attribute.end()
        rest = re.compile(rf"(?:{S}|/)*").match(html, position)
        assert rest is not None
        position = rest.end()
        if position >= len(html):
            break
        is_closed = rest[0].endswith("/")
        name = "".join(letter.lower() if letter.isascii() else letter for letter in tag[2])
        content = name if name in NAMES else str(pack_name(name))
        position += 1
        if name == "svg":
            foreign = foreign + (not is_closed) if not tag[1] else max(0, foreign - 1)
        is_raw = name in ("title", "script", "xmp", "textarea") and not tag[1] and not (foreign and is_closed)
        if not is_raw or name == "xmp":
            bits = SELF_CLOSING * is_closed
            if tag[1]:
                tokens.append(Token(END, content, bits))
            else:
                bits |= HIDDEN * ("hidden" in values) | HAS_TARGET * ("href" in values)
                bits |= OPENS_A_PART * ("aria-expanded" in values or "aria-controls" in values)
                kept = tuple((KEPT[key], value) for key, value in values.items() if key in KEPT and value)
                tokens.append(Token(START, content, bits, kept, values.get("alt", "")))
        if is_raw:
            end = re.compile(rf"</{name}(?=[\0-\x20/>]|\Z)", re.IGNORECASE).search(html, position)
            stop = end.start() if end else len(html)
            if name in ("title", "xmp"):
                tokens.append(Token(TITLE if name == "title" else CODE, html[position:stop]))
            position = stop
    flush()
    return tokens


def test_tags_have_names_bits_and_the_attributes_that_tell_what_they_are_for() -> None:
    html = "<P CLASS='a b' ID=c hidden data-id=d style=\"x>y\" id=e/>字</p ><a href=#>"
    assert tokens_of(html) == [
        Token(START, "p", HIDDEN, ((WORDS, "a b"), (WORDS, "c"), (STYLE, "x>y"))),
        Token(TEXT, "字"),
        Token(END, "p"),
        Token(START, "a", HAS_TARGET),
    ]
    assert tokens_of("<p alt='&amp;' hidden=until-found aria-controls=b>") == [
        Token(START, "p", HIDDEN | OPENS_A_PART, ((HIDDEN_VALUE, "until-found"),), "&amp;")
    ]
    assert tokens_of("<p/><p / ><b =a id==c>") == [
        Token(START, "p", SELF_CLOSING),
        Token(START, "p"),
        Token(START, "b", 0, ((WORDS, "=c"),)),
    ]


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("a<b", ["a"]),
        ("1 < 2 <3 &lt; <", ["1 < 2 <3 &lt; <"]),
        ("a</>b</ c>d<?php e ?>f<!doctype g>h", ["a", "b", "d", "f", "h"]),
        ("<!-->a<!--->b<!-- > -- -->c<!---->d<!--e--!>f<!---!>g-->h", ["a", "b", "c", "d", "f", "h"]),
        ("a<!-- b", ["a"]),
        ("a<![CDATA[b>c]]>d", ["a", "c]]>d"]),
        ("a<script>'</b>'</script >b<SCRIPT>x</scriptx></Script/>c", ["a", "b", "c"]),
        ("<textarea><p></textarea>a<style><!--</style>b-->", ["a", "b-->"]),
        ("<title>a<b>&amp;</title>c", ["a<b>&amp;", "c"]),
        ("<svg><title/>a</svg><xmp><b>&amp;</xmp>c", ["a", "<b>&amp;", "c"]),
        ("<title>a", ["a"]),
        ('a<p title="b>c<p>d', ["a"]),
    ],
)
def test_texts_are_what_stands_outside_of_markup(html: str, texts: list[str]) -> None:
    found = read_tokens(np.frombuffer(html.encode(), dtype=np.uint8))
    is_text = found.kinds <= CODE
    assert [
        html.encode()[start:end].decode() for start, end in zip(found.starts[is_text], found.ends[is_text], strict=True)
    ] == texts


PIECES = [
    *("<", ">", "</", "/>", "/", "<!--", "-->", "-", "!", "<!", "<?", "&amp;", "字", " ", "\n", "=", "'", '"'),
    *(f"<{name}" for name in NAMES),
    *(f"</{name}>" for name in NAMES),
    *(
        "<p>",
        "<P CLASS=x>",
        "<svg>",
        "<title>",
        " id",
        " class='a b'",
        ' style="c"',
        " hidden",
        " href=d",
        " alt='e f'",
        " hidden=until-found",
        " aria-expanded",
        " display=block",
        "role = e",
        "<title/>",
    ),
]


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_tokens_are_those_of_the_restatement(html: str) -> None:
    found = tokens_of(html)
    assert found == restated(html)
