"""Kinds of words, compared with their table read as regular expressions."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.html.tokens import read_tokens
from pipeline.extract.main_text.class_names import (
    CODE_CLASS,
    COLLAPSE,
    COMMENT_WORDS,
    COMMENTS,
    LEFT_OUT,
    LEFT_OUT_WORDS,
    READING_WORDS,
    WORD_KINDS,
    words_of,
)

WORDS = [*WORD_KINDS.values(), LEFT_OUT_WORDS, COMMENT_WORDS, *READING_WORDS.values()]
PATTERNS = [re.compile(words, re.IGNORECASE | re.ASCII) for words in WORDS]


def bits_of(markup: str) -> int:
    """The bits of the first tag."""
    page = np.frombuffer(markup.encode(), dtype=np.uint8)
    return int(words_of(page, read_tokens(page))[0])


def kinds_of(bits: int) -> list[str]:
    """The names of the kinds."""
    return [name for number, name in enumerate(WORD_KINDS) if bits >> number & 1]


def restated(value: str) -> int:
    """The kinds of every word, one regular expression after the other."""
    return sum(1 << bit for bit, pattern in enumerate(PATTERNS) if any(pattern.search(word) for word in value.split()))


@pytest.mark.parametrize(
    ("tag", "kinds"),
    [
        ("<p class='post-body'>", ["content", "article_body"]),
        ("<p class=top-ad id=x>", ["head", "advertisement"]),
        ("<p class=loading>", []),
        ("<p class=stop role=Navigation>", ["navigation"]),
        ("<p id=left_side itemprop=articleBody>", ["content", "article_body", "side"]),
        ("<p title=post href=post>", []),
    ],
)
def test_the_words_of_four_attributes_tell_the_kinds(tag: str, kinds: list[str]) -> None:
    assert kinds_of(bits_of(tag)) == kinds


@pytest.mark.parametrize(
    ("tag", "is_left_out", "are_comments"),
    [
        ("<td class='hll gutter'>", True, False),
        ("<td class=gutters>", False, False),
        ("<p id=cookie-law class=comment>", True, True),
        ("<p class=cookies>", False, False),
        ("<p id=commentary>", False, False),
        ("<p style='color: red; display :none'>", False, False),
        ("<p style='color: red; DISPLAY:\n None'>", True, False),
        ("<p style=visibility:hidden>", True, False),
        ("<p style=display:block>", False, False),
    ],
)
def test_whole_words_and_styles_leave_an_element_out(tag: str, is_left_out: bool, are_comments: bool) -> None:
    bits = bits_of(tag)
    assert (bool(bits & LEFT_OUT), bool(bits & COMMENTS)) == (is_left_out, are_comments)


@pytest.mark.parametrize(
    ("tag", "bit", "has_it"),
    [
        ("<div style='white-space: pre'>", CODE_CLASS, True),
        ("<div style='white-space:pre;color:red'>", CODE_CLASS, True),
        ("<div style='white-space: pre-wrap'>", CODE_CLASS, False),
        ("<div class='enlighter'>", CODE_CLASS, True),
        ("<div hidden=until-found>", COLLAPSE, True),
        ("<div hidden=hidden>", COLLAPSE, False),
        ("<div class=navbar-collapse>", COLLAPSE, False),
    ],
)
def test_attributes_say_how_to_read_an_element(tag: str, bit: int, has_it: bool) -> None:
    assert bool(bits_of(tag) & bit) == has_it


PARTS = sorted({part for pattern in PATTERNS for part in re.findall("[a-z_-]+", pattern.pattern)})


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from([*PARTS, *"-_ ab1AD."]), max_size=6).map("".join))
def test_the_automaton_finds_what_the_expressions_find(value: str) -> None:
    assert bits_of(f'<p class="{value}">') == restated(value)
