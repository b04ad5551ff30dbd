"""Reads the header lines of WARC records and HTTP messages, whose names have any case and whose lines end in CRLF or LF."""

import re
from typing import NamedTuple

# Far above Common Crawl's longest response headers.
MAX_HEADER_BYTES = 256 << 10
BLANK_LINE = re.compile(rb"\r*\n\r*\n")  # RFC 9112, section 2.2: a line feed alone ends a line; some servers send CR CR LF
_STATUS_LINE = re.compile(rb"(?:HTTP/\d+(?:\.\d+)?|ICY)[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_HEADER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*:")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)


class Message(NamedTuple):
    """An HTTP response: `status` is None without a status line, and the body begins at `body_start` of its block.

    Values of several headers of one name are joined by ", " (RFC 9110, section 5.2). http_charset: of the last Content-Type that
    has one (Fetch, "extract a MIME type").
    """

    status: int | None
    content_type: str
    http_charset: str | None
    content_encoding: str
    transfer_encoding: str
    body_start: int


def header_fields(lines: bytes) -> dict[str, list[str]]:
    """The values of each header by lower-case name, in order; a line that begins with white space continues the one before."""
    fields: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in lines.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if last is not None:
                last[-1] = f"{last[-1]} {_decoded(line)}".strip()
            continue
        name, colon, value = line.partition(b":")
        if colon:
            last = fields.setdefault(name.strip().lower().decode("latin-1"), [])
            last.append(_decoded(value))
    return fields


def read_message(block: bytes) -> Message | None:
    """The HTTP response at the beginning of `block`; None if that holds no header. An interim answer (RFC 9110, section 15.2) is
    passed over."""
    start = 0
    while True:
        status_line = _STATUS_LINE.match(block, start)
        if status_line is None and not _HEADER_LINE.match(block, start):
            return None
        blank = BLANK_LINE.search(block, start, start + MAX_HEADER_BYTES)
        end = blank.start() if blank is not None else len(block)
        body_start = blank.end() if blank is not None else len(block)
        status = int(status_line.group(1)) if status_line is not None else None
        if status is not None and 100 <= status < 200 and _STATUS_LINE.match(block, body_start):
            start = body_start
            continue
        fields = header_fields(block[start:end].partition(b"\n")[2] if status_line is not None else block[start:end])
        content_type = ", ".join(fields.get("content-type", ()))
        charsets = _CHARSET.findall(content_type)
        return Message(
            status=status,
            content_type=content_type.lower(),
            http_charset=charsets[-1].lower() if charsets else None,
            content_encoding=", ".join(fields.get("content-encoding", ())).lower(),
            transfer_encoding=", ".join(fields.get("transfer-encoding", ())).lower(),
            body_start=body_start,
        )


def _decoded(value: bytes) -> str:
    value = value.strip()
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
