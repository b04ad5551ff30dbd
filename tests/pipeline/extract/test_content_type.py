"""The type of a record, from its headers or from the beginning of its body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.content_type import SIGNS, declared_type, sniffed_kind


@pytest.mark.parametrize(
    ("content_type", "declared"),
    [
        ("text/html", "text/html"),
        ("text/html; charset=utf-8", "text/html"),
        ("  TEXT/HTML ;charset", "text/html"),
        ("text/html, text/html", "text/html"),
        ("text/plain, text/html", "text/html"),
        ("text/html, text/plain", "text/plain"),
        ("text/html, */*", "text/html"),
        ("text/html;charset=gbk, text/html; charset=utf-8, x", "text/html"),
        ('text/html; x="a,text/plain"', "text/html"),
        ('text/html; x="a\\",b, text/plain', "text/html"),
        ("application/xhtml+xml", "application/xhtml+xml"),
        ("", None),
        (",", None),
        ("html", None),
        ("text/", None),
        ("/html", None),
        ("text/html charset=utf-8", None),
        ("text/html: charset=utf-8", None),
        ('"text/html"', None),
        ("(null)", None),
        ("*/*", None),
        ("unknown/unknown", None),
        ("application/unknown; charset=utf-8", None),
    ],
)
def test_the_last_value_that_can_be_parsed_and_says_something_counts(content_type: str, declared: str | None) -> None:
    assert declared_type(content_type) == declared


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", " \t\r\n\f", "\ufeff", "\ufeff\n"])
def test_each_sign_makes_a_page_when_its_name_ends(sign: str, before: str) -> None:
    for after in (" ", ">", "\n"):
        assert sniffed_kind(f"{before}<{sign}{after}".encode()) == "html"
        assert sniffed_kind(f"{before}<{sign.upper()}{after}".encode()) == "html"
    assert sniffed_kind(f"{before}<{sign}zz>".encode()) is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!--", "html"),
        ("<html lang=ja>".encode("utf-16"), "html"),
        (b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C'>", "xhtml"),
        (b"<?xml version='1.0'?><!-- x --><html xmlns=''>", "xhtml"),
        (b"<?xml version='1.0'?><rss><channel>", None),
        (b"%PDF-1.7", None),
        (b"GIF89a", None),
        (b"", None),
        (b"text <html>", None),
        (b" " * 2_000 + b"<html>", None),
    ],
)
def test_other_beginnings(body: bytes, kind: str | None) -> None:
    assert sniffed_kind(body) == kind


@given(st.text(alphabet='text/html,;"\\ *=') | st.text())
def test_any_header_is_read(content_type: str) -> None:
    declared = declared_type(content_type)
    assert declared is None or declared.count("/") == 1
