"""Character references, compared with Python's `html.unescape`."""

import html
from html.entities import html5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.html.references import decode_texts, shorten_numbers
from pipeline.extract.html.tokens import read_tokens


def decoded(markup: str) -> list[str]:
    """The texts of the tokens of `markup`."""
    page = np.frombuffer(markup.encode(), dtype=np.uint8)
    texts = decode_texts(page, read_tokens(page))
    return [texts.characters[start:end].tobytes().decode() for start, end in zip(texts.starts, texts.ends, strict=True)]


def test_every_name_of_the_standard_stands_for_its_characters() -> None:
    markup = "".join(f"&{name} " for name in html5)
    assert decoded(markup) == ["".join(f"{character} " for character in html5.values())]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("&#12354;&#x3042;&#X3042&#12354", "ああああ"),
        ("&#x1F600;", "😀"),
        ("&#150;&#x96;&#129;", "––\x81"),  # bytes of windows-1252, of which 0x81 is none
        ("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd" * 4),
        ("&#;&#x;&#xg&", "&#;&#x;&#xg&"),
        ("&notin;&notit;&not&amp&ampx&AMP;&Amp;", "∉¬it;¬&&x&&Amp;"),
        ("&nGt;&nLt;", "≫⃒≪⃒"),
        ("a\0b", "ab"),
    ],
)
def test_references_and_what_only_looks_like_them(reference: str, text: str) -> None:
    assert decoded(reference) == [text]


def test_code_shown_as_it_stands_keeps_its_references_and_a_title_does_not() -> None:
    assert decoded("<title>&lt;</title><xmp>&lt;</xmp>") == ["<", "", "", "&lt;", ""]


NAMES = sorted(html5)


@settings(deadline=None)
@given(st.lists(st.sampled_from([*NAMES[::40], "not", "amp;", "lt", "#38;", "#x26", "&", ";", "a", "漢", " "]), max_size=12))
def test_texts_are_those_of_python(pieces: list[str]) -> None:
    markup = "".join(f"&{piece}" if len(piece) > 1 else piece for piece in pieces)
    assert "".join(decoded(markup)) == html.unescape(markup)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("&#00000000012354;", "あ"),
        ("&#x0000000003042 い", "あ い"),
        ("&#12345678;a", "\ufffda"),
        ("&#xFFFFFFFF&#X00000041", "\ufffdA"),
        ("&#0000000000;", "\ufffd"),
        ("&#00000000128;", "€"),
        ("&#" + "9" * 10_000, "\ufffd"),
        ("&#x" + "0" * 10_000 + "3042;", "あ"),
        ("&#1234567ab", "\ufffdab"),
        ("&#xあ &# 00000000 &#x", "&#xあ &# 00000000 &#x"),
    ],
)
def test_long_numbers_are_read_by_python_once_they_are_shortened(markup: str, text: str) -> None:
    assert html.unescape(shorten_numbers(markup)) == text
    assert "".join(decoded(markup)) == text


def test_giant_references_take_linear_time() -> None:
    markup = f"<title>&#{'1' * 1_000_000}</title><p class='&#{'1' * 1_000_000}'>&#x{'0' * 1_000_000};{'&' * 1_000_000}"
    assert [text for text in decoded(markup) if text] == ["\ufffd", "\ufffd" + "&" * 1_000_000]
