"""Tells from a Content-Type, and from the beginning of a body without a good one, whether a record is a page, as browsers do.

A value that cannot be parsed is ignored, and of several good ones the last counts (https://fetch.spec.whatwg.org, "extract a MIME
type"). If none is left, the body is looked at (https://mimesniff.spec.whatwg.org, sections 5 and 7.1). A good type that names
something else is believed: `text/plain` is text and `application/octet-stream` a download, whatever the body holds.
"""

import re
from typing import Literal

PageKind = Literal["html", "xhtml"]

PAGE_TYPES: dict[str, PageKind] = {
    "text/html": "html",
    "application/xhtml+xml": "xhtml",
    "application/vnd.wap.xhtml+xml": "xhtml",  # XHTML Mobile Profile, of Japanese sites for telephones (WAP-277)
}
# Types that say that the server knows none (MIME Sniffing, section 5).
UNKNOWN_TYPES = frozenset(("*/*", "unknown/unknown", "application/unknown"))
# Elements whose start tag at the beginning of a body makes it HTML: those of section 7.1, and `meta`.
SIGNS = (
    *("!doctype html", "html", "head", "script", "iframe", "h1", "div", "font", "table", "a", "style", "title", "b", "body"),
    *("br", "p", "meta"),
)
SNIFFED_BYTES = 1_445  # "resource header", section 5.2

# Quoted strings hold commas that do not separate values (Fetch, "get, decode, and split").
_VALUE = re.compile(r'(?:[^",]++|"(?:[^"\\]|\\.)*+"?)++')
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # RFC 9110, section 5.6.2
_ESSENCE = re.compile(rf"[\t\n\r ]*({_TOKEN}/{_TOKEN})[\t\n\r ]*(?:;.*)?", re.DOTALL)
_WHITE_SPACE = b"\t\n\f\r "
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(b"<(?:!--|(?:" + "|".join(SIGNS).encode() + b")[ >\t\n\f\r/])", re.IGNORECASE)
_XHTML = re.compile(rb"<\?xml\s.*?<(?:!doctype\s+)?html[\s>]", re.IGNORECASE | re.DOTALL)


def declared_type(content_type: str) -> str | None:
    """The type and subtype, in lower case, of the last value in `content_type` that can be parsed and names a type; None if there
    is none.

    content_type: the values of all Content-Type headers as sent, joined by commas.
    """
    found = None
    for value in _VALUE.findall(content_type):
        parsed = _ESSENCE.fullmatch(value)
        if parsed and parsed[1].lower() not in UNKNOWN_TYPES:
            found = parsed[1].lower()
    return found


def sniffed_kind(body: bytes) -> PageKind | None:
    """What kind of page `body`, without its encodings, begins like; None if it begins like none.

    Beyond the standard, a byte order mark may come first, and an XML declaration may precede the root of a page: the standard
    calls that XML, and browsers show it as XHTML.
    """
    head = body[:SNIFFED_BYTES]
    if head.startswith(_UTF_16_MARKS):
        head = head[2:].replace(b"\0", b"")
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip(_WHITE_SPACE)
    if _HTML.match(head):
        return "html"
    return "xhtml" if _XHTML.match(head) else None
