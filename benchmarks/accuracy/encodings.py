"""Encodings: real pages re-encoded in each charset of the Japanese Web, and the share that each program reads exactly.

The corpus has few legacy pages, so pages in UTF-8 are encoded here as authoring tools did: a character that a charset lacks
becomes a character reference, and the page's own label is replaced. Except under the conditions called plain, each page gets a
line of characters that company sites use and strict codecs lack (NEC's row 13, IBM's extensions, the wave dash, half-width kana).
The encoders rely on Python's CP932 alone and share nothing with the project's decoders. A reading is right if it equals
the text to the last character. Programs that take only bytes get no header. In these cases a header never helps: it is absent
or wrong.
"""

import importlib
import itertools
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import webencodings

from benchmarks.accuracy.table import Page, Row, is_installed, not_installed, pages_of
from pipeline.extract.charset import decode

SUBJECT = "1 encodings"
PAGES = 200
MAX_CHARACTERS = 40_000  # the slowest detectors take seconds for larger pages
EXTENSIONS = "<p>①②Ⅲ㈱㌔№℡髙﨑纊～－∥ｶﾅﾊﾝｶｸ</p>"
META = re.compile(r"<meta[^>]*charset[^>]*>", re.IGNORECASE)
ROWS = 94  # rows of a JIS set, and cells per row


class Case(NamedTuple):
    """A text, the bytes that encode it, and the charset that a header claims."""

    text: str
    body: bytes
    http_charset: str | None


@cache
def jis_codes() -> Mapping[str, tuple[int, int]]:
    """Row and cell, from 0, of each character that CP932 has in the 94 x 94 set, including NEC's and IBM's rows.

    For characters that occur there twice the first place counts, as in the WHATWG Encoding Standard.
    """
    codes: dict[str, tuple[int, int]] = {}
    for row, cell in itertools.product(range(ROWS), range(ROWS)):
        pointer = row * ROWS + cell
        lead, trail = divmod(pointer, 188)
        pair = bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])
        character = pair.decode("cp932", "replace")
        if len(character) == 1 and character != "\ufffd":
            codes.setdefault(character, (row, cell))
    return codes


def with_references(text: str) -> str:
    """`text`, with a character reference for each character that the Japanese charsets lack."""
    codes = jis_codes()
    return "".join(
        character if character.isascii() or character in codes or "｡" <= character <= "ﾟ" else f"&#{ord(character)};"
        for character in text
    )


def shift_jis(text: str) -> bytes:
    """`text` in Windows-31J, which pages call Shift_JIS."""
    return text.encode("cp932")


def euc_jp(text: str) -> bytes:
    """`text` in EUC-JP: half-width kana after 0x8E, everything else in two bytes above 0xA0."""
    return b"".join(
        character.encode()
        if character.isascii()
        else bytes([0x8E, ord(character) - ord("｡") + 0xA1])
        if "｡" <= character <= "ﾟ"
        else bytes(part + 0xA1 for part in jis_codes()[character])
        for character in text
    )


def iso_2022_jp(text: str) -> bytes:
    """`text` in ISO-2022-JP, with the escapes for ASCII, JIS X 0208 and its extensions, and half-width kana."""
    pieces = []
    for escape, run in itertools.groupby(text, _escape_of):
        pieces.append(escape)
        for character in run:
            if escape == b"\x1b(B":
                pieces.append(character.encode())
            elif escape == b"\x1b(I":
                pieces.append(bytes([ord(character) - ord("｡") + 0x21]))
            else:
                pieces.append(bytes(part + 0x21 for part in jis_codes()[character]))
    return b"".join([*pieces, b"\x1b(B"])


def _escape_of(character: str) -> bytes:
    if character.isascii():
        return b"\x1b(B"
    return b"\x1b(I" if "｡" <= character <= "ﾟ" else b"\x1b$B"


def utf_16(text: str) -> bytes:
    """`text` in little-endian UTF-16, after a byte order mark."""
    return b"\xff\xfe" + text.encode("utf-16-le")


def utf_8(text: str) -> bytes:
    """`text` in UTF-8, without a byte order mark."""
    return text.encode()


# Condition: how the text is encoded, the label in the page (None: no label), the charset of the header.
CONDITIONS: dict[str, tuple[Callable[[str], bytes], str | None, str | None]] = {
    "plain Shift_JIS": (shift_jis, "Shift_JIS", None),
    "plain EUC-JP": (euc_jp, "EUC-JP", None),
    "plain ISO-2022-JP": (iso_2022_jp, "ISO-2022-JP", None),
    "Shift_JIS": (shift_jis, "Shift_JIS", None),
    "x-sjis": (shift_jis, "x-sjis", None),
    "windows-31j": (shift_jis, "Windows-31J", None),
    "ms932": (shift_jis, "MS932", None),
    "EUC-JP": (euc_jp, "EUC-JP", None),
    "ISO-2022-JP": (iso_2022_jp, "ISO-2022-JP", None),
    "UTF-16": (utf_16, "UTF-16", None),
    "UTF-8, meta Shift_JIS": (utf_8, "Shift_JIS", None),
    "Shift_JIS, no label": (shift_jis, None, None),
    "EUC-JP, no label": (euc_jp, None, None),
    "Shift_JIS, header UTF-8": (shift_jis, "Shift_JIS", "utf-8"),
    "EUC-JP, header Shift_JIS": (euc_jp, None, "shift_jis"),
    "UTF-8, header EUC-JP": (utf_8, "utf-8", "euc-jp"),
}


def sources(corpus: Path) -> list[str]:
    """`PAGES` Japanese pages in UTF-8, spread over the shards, as texts with the line of extensions and one label."""
    chosen = [page for page in pages_of(corpus, "ja_web-*.warc.gz") if _is_usable(page)]
    texts = []
    for page in chosen[:: max(1, len(chosen) // PAGES)][:PAGES]:
        text = META.sub("", page.body.decode())
        position = re.search(r"<body[^>]*>", text, re.IGNORECASE)
        end = position.end() if position else 0
        texts.append(with_references(text[:end] + EXTENSIONS + text[end:]))
    return texts


def _is_usable(page: Page) -> bool:
    """In UTF-8 without damage, certainly Japanese, not long, and not XML, whose declaration is a label of its own."""
    if not (page.label["lang"] == "ja" and page.label["lang_certain"] and page.label["charset"] == "utf-8"):
        return False
    if len(page.body) > MAX_CHARACTERS or b"\0" in page.body or b"\x1b" in page.body or b"<?xml" in page.body:
        return False
    text = page.body.decode("utf-8", "replace")
    return "\ufffd" not in text and "\ufeff" not in text and re.search("<head[^>]*>", text) is not None


def cases(texts: list[str], condition: str) -> list[Case]:
    """The pages under a condition."""
    encode, label, http_charset = CONDITIONS[condition]
    meta = f'<meta charset="{label}">' if label else ""
    line = "" if condition.startswith("plain") else EXTENSIONS
    made = []
    for text in texts:
        labelled = re.sub("<head[^>]*>", rf"\g<0>{meta}", text.replace(EXTENSIONS, line), count=1)
        made.append(Case(labelled, encode(labelled), http_charset))
    return made


def kotokura(case: Case) -> bool:
    """Reads as the pipeline does."""
    return decode(case.body, case.http_charset).text == case.text


def label_alone(case: Case) -> bool:
    """Reads as a browser that detects nothing: by header, byte order mark and label, through the WHATWG table."""
    named = re.search(rb"charset=\"?([\w-]+)", case.body[:1024])
    label = case.http_charset or (named.group(1).decode() if named else "windows-1252")
    encoding = webencodings.lookup(label) or webencodings.lookup("windows-1252")
    text: str = webencodings.decode(case.body, encoding)[0]
    return text == case.text


def by_codec(body: bytes, name: str | None, text: str) -> bool:
    """Whether Python's codec for a detected name reads the text."""
    try:
        return body.decode(name or "utf-8").removeprefix("\ufeff") == text
    except (UnicodeDecodeError, LookupError):
        return False


def charset_normalizer(case: Case) -> bool:
    """Reads by the most likely of its guesses."""
    best = importlib.import_module("charset_normalizer").from_bytes(case.body).best()
    return best is not None and str(best).removeprefix("\ufeff") == case.text


def chardet(case: Case) -> bool:
    """Reads by Python's codec for the name that it detects."""
    return by_codec(case.body, importlib.import_module("chardet").detect(case.body)["encoding"], case.text)


def cchardet(case: Case) -> bool:
    """Reads by Python's codec for the name that it detects."""
    return by_codec(case.body, importlib.import_module("cchardet").detect(case.body)["encoding"], case.text)


def resiliparse(case: Case) -> bool:
    """Reads by its own decoder, which is given the label in the page."""
    encoding = importlib.import_module("resiliparse.parse.encoding")
    text: str = encoding.bytes_to_str(case.body, encoding.detect_encoding(case.body, from_html_meta=True))
    return text == case.text


def trafilatura(case: Case) -> bool:
    """Reads as it reads its downloads."""
    text: str = importlib.import_module("trafilatura.utils").decode_file(case.body)
    return text.removeprefix("\ufeff") == case.text


def unicode_dammit(case: Case) -> bool:
    """Reads as Beautiful Soup reads a page."""
    text: str | None = importlib.import_module("bs4.dammit").UnicodeDammit(case.body, is_html=True).unicode_markup
    return text == case.text


def lxml(case: Case) -> bool:
    """Compares the text of two trees, because lxml never shows what it has decoded."""
    from lxml import etree, html

    try:
        return str(html.document_fromstring(case.body).text_content()) == str(html.document_fromstring(case.text).text_content())
    except (etree.ParserError, UnicodeDecodeError):
        return False


# Program: its name, the package that it needs, how it reads.
PROGRAMS: tuple[tuple[str, str, Callable[[Case], bool]], ...] = (
    ("kotokura", "pipeline", kotokura),
    ("header and label alone (webencodings)", "webencodings", label_alone),
    ("charset-normalizer", "charset_normalizer", charset_normalizer),
    ("chardet", "chardet", chardet),
    ("faust-cchardet", "cchardet", cchardet),
    ("resiliparse, with the label", "resiliparse", resiliparse),
    ("trafilatura's decode_file", "trafilatura", trafilatura),
    ("BeautifulSoup's UnicodeDammit", "bs4", unicode_dammit),
    ("lxml.html", "lxml", lxml),
)


def rows(shared: Path) -> Iterator[Row]:
    """The share of pages read exactly, per program and condition."""
    logging.getLogger("bs4.dammit").setLevel(logging.CRITICAL)  # it logs every page that it cannot read
    texts = sources(shared / "corpus")
    figures: dict[str, list[str]] = {program: [] for program, package, _ in PROGRAMS if is_installed(package)}
    for condition in CONDITIONS:
        made = cases(texts, condition)
        for program, _, reads in PROGRAMS:
            if program in figures:
                figures[program].append(f"{condition} {sum(map(reads, made)) / len(made):.3f}")
    for program, _, _ in PROGRAMS:
        if program in figures:
            yield Row(SUBJECT, program, f"of {len(texts)} pages each\n" + "\n".join(figures[program]))
        else:
            yield not_installed(SUBJECT, program)
