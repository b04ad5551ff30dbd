"""Decodes the bytes of a page: finds the charset, records how it was found, and how much could not be decoded.

The order is one of trust, not that of the standards: evidence in the bytes comes before declarations.

1. escapes of ISO-2022-JP (such a page is pure ASCII, so decoders that try UTF-8 first read it as `$B8cGZ$O`);
2. a byte order mark, then the NULs of UTF-16 without one;
3. UTF-8, also with a little damage (a page cut in the middle of a character, a broken byte);
4. the charset of the HTTP header, then of the page's head, through the WHATWG table of labels, where it decodes without
   an error and the bytes do not read as Japanese in another charset;
5. a detector between Shift_JIS and EUC-JP, by kana;
6. otherwise the candidate with the fewest replacement characters.

No page is dropped here for its charset: `charset`, `source` and `replacement_share` are inputs for a rule.
"""

import codecs
import re
from typing import NamedTuple

import numpy as np
import webencodings

from pipeline.extract.japanese_charsets import Reading, read_euc_jp, read_iso_2022_jp, read_shift_jis

META_BYTES = 4096  # searched for a charset; browsers stop at 1024, but many old pages have scripts before the declaration
MARKS = [  # UTF-32 before UTF-16: the mark of utf-32le begins with that of utf-16le
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32le"),
    (codecs.BOM_UTF32_BE, "utf-32be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
]
# Labels in use that the WHATWG table lacks: names from PHP, Java, Python and Emacs.
FURTHER_LABELS = {
    "cp932": "shift_jis",
    "sjis-win": "shift_jis",
    "shiftjis": "shift_jis",
    "mskanji": "shift_jis",
    "eucjp": "euc-jp",
    "euc_jp": "euc-jp",
    "ujis": "euc-jp",
    "eucjp-win": "euc-jp",
    "eucjp-ms": "euc-jp",
    "jis": "iso-2022-jp",
    "iso-2022-jp-1": "iso-2022-jp",
    "iso-2022-jp-2": "iso-2022-jp",
    "iso-2022-jp-ms": "iso-2022-jp",
    "cp50220": "iso-2022-jp",
    "cp50221": "iso-2022-jp",
    "cp50222": "iso-2022-jp",
}
# Python's codecs that decode these names as browsers do.
CODECS = {"gbk": "gb18030", "big5": "big5hkscs", "euc-kr": "cp949"}
JAPANESE = {"shift_jis": read_shift_jis, "euc-jp": read_euc_jp}
# Labels that are not trusted: the bytes prove the charset (steps 1 to 3), or no page in it is readable.
UNBELIEVED = {"utf-8", "utf-16le", "utf-16be", "iso-2022-jp", "replacement", "x-user-defined"}

MIN_KANA_SHARE = 0.1  # of all non-ASCII characters; Japanese prose has 0.5 to 0.7, misread bytes of others under 0.02
MAX_DAMAGE = 0.02  # errors per non-ASCII character of a page that is still recognized; a wrong charset causes one in four
MAX_UTF_8_DAMAGE = 0.1  # errors per byte above 0x7F; text in any other charset causes 0.5 or more
MIN_NUL_SHARE = 0.3  # of every other byte in the head of a UTF-16 page, whose markup is ASCII

_ESCAPES = re.compile(rb"\x1b(?:\$[@AB]|\$\([@BCD]|\([IJ])")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta[\s/]([^>]*)", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"'>]+)", re.IGNORECASE)


class Decoded(NamedTuple):
    """The text of a page, without lone surrogates, so that UTF-8 can encode it.

    `charset` is the WHATWG name in lower case (beside them utf-32le and utf-32be), `source` one of escape, bom, utf-8,
    http, meta, detector, replacement, and `replacement_share` the share of U+FFFD among the characters, including any that
    the page itself contains.
    """

    text: str
    charset: str
    source: str
    replacement_share: float


def decode(body: bytes, http_charset: str | None) -> Decoded:
    """The text of `body`, a page without its transfer and content encodings. Never fails.

    `http_charset` is the `charset` parameter of the Content-Type header as sent, or None.
    """
    if b"\x1b" in body and _ESCAPES.search(body):
        reading = read_iso_2022_jp(body)
        if _candidate("iso-2022-jp", reading).damage <= MAX_DAMAGE and (body.isascii() or not _is_utf_8(body)):
            return _decoded(reading.text, "iso-2022-jp", "escape")
    for mark, charset in MARKS:
        if body.startswith(mark):
            return _decoded(_read_unicode(body[len(mark) :], charset), charset, "bom")
    if (utf_16 := _utf_16_by_nuls(body)) is not None:
        source = "http" if canonical_charset(http_charset) == utf_16 else "detector"
        return _decoded(_read_unicode(body, utf_16), utf_16, source)
    try:
        return _decoded(body.decode("utf-8"), "utf-8", "utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(body, http_charset)


def canonical_charset(label: str | None) -> str | None:
    """The WHATWG name of a charset, in lower case, for any spelling of its label; None for unknown labels."""
    if label is None:
        return None
    name = label.strip(" \t\r\n\f\"';,").lower()
    encoding = webencodings.lookup(name)
    return encoding.name if encoding is not None else FURTHER_LABELS.get(name)


def declared_in_page(body: bytes) -> str | None:
    """The charset label in the first `META_BYTES` bytes: `<meta charset>`, its http-equiv form, the XML declaration.

    Comments are ignored. None if there is no label.
    """
    head = _COMMENT.sub(b"", body[:META_BYTES])
    for meta in _META.finditer(head):
        if found := _CHARSET.search(meta.group(1)):
            return found.group(1).decode("latin-1")
    found = _XML_DECLARATION.match(head)
    return found.group(1).decode("latin-1") if found else None


def _decode_legacy(body: bytes, http_charset: str | None) -> Decoded:
    """Steps 3 (with damage) to 6, for bytes that are not UTF-8 throughout."""
    as_utf_8 = body.decode("utf-8", "replace")
    errors = as_utf_8.count("\ufffd")
    high_bytes = int(np.count_nonzero(np.frombuffer(body, dtype=np.uint8) >= 0x80))
    if errors <= MAX_UTF_8_DAMAGE * high_bytes:
        return _decoded(as_utf_8, "utf-8", "utf-8")

    candidates = [_candidate("utf-8", Reading(as_utf_8, errors, cut=False))]
    japanese = {name: _candidate(name, read(body)) for name, read in JAPANESE.items()}
    detected = max(japanese.values(), key=lambda candidate: candidate.kana_share - candidate.damage)
    is_japanese = detected.kana_share >= MIN_KANA_SHARE and detected.damage <= MAX_DAMAGE
    if is_japanese:
        candidates.append(detected)
    for source, label in (("http", http_charset), ("meta", declared_in_page(body))):
        name = canonical_charset(label)
        if name is None or name in UNBELIEVED:
            continue
        declared = japanese[name] if name in japanese else _candidate(name, _read_declared(body, name))
        # A single-byte charset decodes any bytes and GBK most, so decoding without errors proves little: of two error-free
        # readings, the one with far more kana is right.
        if is_japanese and name != detected.name and detected.kana_share > 2 * declared.kana_share:
            continue
        if declared.holds:
            return _decoded(declared.reading.text, name, source)
        candidates.append(declared)
    if is_japanese and detected.holds:
        return _decoded(detected.reading.text, detected.name, "detector")
    best = min(candidates, key=lambda candidate: candidate.reading.errors)
    return _decoded(best.reading.text, best.name, "replacement")


class _Candidate(NamedTuple):
    """A charset tried on a page: `damage` is the errors per non-ASCII character, `kana_share` the share of hiragana and
    full-width katakana among these characters."""

    name: str
    reading: Reading
    damage: float
    kana_share: float

    @property
    def holds(self) -> bool:
        """Whether there is no error, except a last character cut in two."""
        return self.reading.errors == int(self.reading.cut)


def _candidate(name: str, reading: Reading) -> _Candidate:
    codes = np.frombuffer(reading.text.encode("utf-32-le"), dtype=np.uint32)
    non_ascii = max(1, int(np.count_nonzero(codes >= 0x80)))
    kana = int(np.count_nonzero((codes >= 0x3041) & (codes <= 0x30FA)))
    return _Candidate(name, reading, reading.errors / non_ascii, kana / non_ascii)


def _decoded(text: str, charset: str, source: str) -> Decoded:
    return Decoded(text, charset, source, text.count("\ufffd") / max(1, len(text)))


def _is_utf_8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_unicode(body: bytes, charset: str) -> str:
    """`body` in a UTF; an odd byte or half a surrogate pair at the end becomes U+FFFD."""
    return body.decode(charset.replace("le", "-le").replace("be", "-be"), "replace")


def _utf_16_by_nuls(body: bytes) -> str | None:
    """The charset of a UTF-16 page without a byte order mark, found by NULs in every other byte; None for other pages."""
    head = body[:META_BYTES]
    if b"\0" not in head:
        return None
    even, odd = head[0::2].count(0) / (len(head) / 2), head[1::2].count(0) / (len(head) / 2)
    if odd >= MIN_NUL_SHARE > 10 * even:
        return "utf-16le"
    return "utf-16be" if even >= MIN_NUL_SHARE > 10 * odd else None


def _read_declared(body: bytes, name: str) -> Reading:
    """`body` decoded from a charset that is neither Japanese nor a UTF, by Python's codec."""
    codec = CODECS.get(name) or webencodings.lookup(name).codec_info.name
    decoder = codecs.getincrementaldecoder(codec)("strict")
    try:
        text = decoder.decode(body)
    except UnicodeDecodeError:
        text = body.decode(codec, "replace")
        return Reading(text, text.count("\ufffd"), False)
    cut = bool(decoder.getstate()[0])
    return Reading(text + "\ufffd" * cut, int(cut), cut)
