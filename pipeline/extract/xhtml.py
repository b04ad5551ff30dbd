"""Rewrites a page in XHTML as HTML of the same meaning, which the rest of the program reads.

A browser reads `application/xhtml+xml` as XML. There `/>` ends any element (HTML reads `<script/>` as the start of a script that
goes on to the end of the page), `<![CDATA[` begins text, a processing instruction ends with `?>`, a doctype may contain a subset,
and names may have a prefix (https://www.w3.org/TR/xml, https://www.w3.org/TR/xml-names). XML that is not well-formed, which
browsers refuse, is read as far as HTML allows.
"""

import html
import re

from pipeline.extract.html.elements import ELEMENTS, VOID

_VOID = frozenset(name for names, kind, *_ in ELEMENTS if kind & VOID for name in names.split())
_PREFIX = re.compile(r"\sxmlns:([\w.-]+)\s*=\s*[\"']http://www\.w3\.org/1999/xhtml[\"']")
# A tag with its attributes. Nothing is tried twice, so the time is linear. A quote counts only after "=", as in HTML.
_TAG = re.compile(r"<(/?)([A-Za-z_][^\s/>]*+)((?:[^>\"'=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?|[\"'])*+)>")
_UNQUOTED_VALUE = re.compile(r"=\s*[^\s\"'=]+/\Z")  # `<a href=x/>` is a start tag
_DOCTYPE = re.compile(r"<!DOCTYPE\s", re.IGNORECASE)
_SUBSET = re.compile(r"[^\[>]*+(\[(?:[^\]\"']++|\"[^\"]*+\"|'[^']*+')*+\])\s*+>")
_END_OF_RAW_TEXT = {name: re.compile(rf"</{name}(?=[\s/>])|<!\[CDATA\[", re.IGNORECASE) for name in ("script", "style")}


def as_html(page: str) -> str:
    """`page`, XHTML, as HTML. Never fails; takes time in proportion to the length."""
    doctype = _DOCTYPE.search(page)
    if doctype and (subset := _SUBSET.match(page, doctype.end())):
        page = page[: subset.start(1)] + page[subset.end(1) :]
    prefixes = tuple({f"{prefix}:" for prefix in _PREFIX.findall(page)})
    pieces: list[str] = []
    position = 0
    while (mark := page.find("<", position)) >= 0:
        pieces.append(page[position:mark])
        written, position = _markup_at(page, mark, prefixes)
        pieces.append(written)
    return "".join([*pieces, page[position:]])


def _markup_at(page: str, mark: int, prefixes: tuple[str, ...]) -> tuple[str, int]:
    """What the markup that begins at `mark` is in HTML, and where it ends in `page`."""
    if page.startswith("<!--", mark):
        end = _after(page, "-->", mark + 4)
        return page[mark:end], end
    if page.startswith("<![CDATA[", mark):
        end = _after(page, "]]>", mark)
        return html.escape(page[mark + len("<![CDATA[") : end].removesuffix("]]>"), quote=False), end
    if page.startswith("<?", mark):
        return "", _after(page, "?>", mark)
    if not page[mark + 1 : mark + 3].lstrip("/")[:1].isalpha():
        return "<", mark + 1
    tag = _TAG.match(page, mark)
    if not tag:
        return page[mark:], len(page)  # the page ends inside the tag
    return _tag(page, tag, prefixes)


def _tag(page: str, tag: re.Match[str], prefixes: tuple[str, ...]) -> tuple[str, int]:
    """The same for a tag; the content of scripts and styles, which nobody sees, goes with it."""
    slash, name, attributes = tag.groups()
    if prefixes and name.startswith(prefixes):
        name = name.partition(":")[2]
    if slash:
        return f"</{name}>", tag.end()
    is_empty = attributes.endswith("/") and not _UNQUOTED_VALUE.search(attributes)
    if is_empty and name.lower() not in _VOID:
        return f"<{name}{attributes.removesuffix('/')}></{name}>", tag.end()
    start = f"<{name}{attributes}>"
    ends = _END_OF_RAW_TEXT.get(name.lower()) if not is_empty else None
    return (start, tag.end()) if ends is None else (start, _after_raw_text(page, tag.end(), ends))


def _after_raw_text(page: str, position: int, ends: re.Pattern[str]) -> int:
    """Where the end tag of a script or style begins that is not inside CDATA; the end of the page if there is none."""
    while end := ends.search(page, position):
        if end[0].startswith("</"):
            return end.start()
        position = _after(page, "]]>", end.end())
    return len(page)


def _after(page: str, sign: str, position: int) -> int:
    """The position after the next `sign`; the end of the page if there is none."""
    found = page.find(sign, position)
    return found + len(sign) if found >= 0 else len(page)
