"""WARC records of the sample: the bytes of a response, and the forms of records that are not good pages."""

import struct
import uuid
import zlib
from datetime import datetime

import brotli
from fastwarc.warc import WarcRecord, WarcRecordType
from sites import Capture, Page, SampleError
from templates import render

_CHUNK_BYTES = 700  # small, so that some chunks end inside a character
_TYPES = {
    "response": WarcRecordType.response,
    "request": WarcRecordType.request,
    "metadata": WarcRecordType.metadata,
    "revisit": WarcRecordType.revisit,
    "truncated": WarcRecordType.response,
    "twice": WarcRecordType.response,
}


def warcinfo(file_name: str, date: datetime) -> WarcRecord:
    """The record that begins a file of the sample."""
    record = _record(WarcRecordType.warcinfo, file_name, date)
    record.headers["WARC-Filename"] = file_name
    record.headers["Content-Type"] = "application/warc-fields"
    record.set_bytes_content(b"software: kotokura sample\r\nformat: WARC File Format 1.1\r\n")
    return record


def record_of(capture: Capture) -> WarcRecord:
    """The record of `capture`; writing it sets its length and digests.

    Raises SampleError if the page's encoding lacks a character of its text.
    """
    page = capture.page
    record = _record(_TYPES[page.record], capture.url, page.date)
    record.headers["WARC-Target-URI"] = capture.url
    if page.record == "metadata":
        record.headers["Content-Type"] = "application/warc-fields"
        record.set_bytes_content(page.body.encode())
        return record
    kind = "request" if page.record == "request" else "response"
    record.headers["Content-Type"] = f"application/http; msgtype={kind}"
    if page.record == "request":
        record.set_bytes_content(f"GET {page.path} HTTP/1.1\r\nHost: {capture.site.host}\r\n\r\n".encode())
        return record
    body = page_bytes(capture)
    if page.record == "truncated":
        record.headers["WARC-Truncated"] = "length"
        body = body[: len(body) // 2]
    elif page.record == "revisit":
        record.headers["WARC-Profile"] = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
        record.headers["WARC-Refers-To-Target-URI"] = capture.url
        body = b""
    record.set_bytes_content(_http_head(page, len(body)) + body)
    return record


def page_bytes(capture: Capture) -> bytes:
    """The body of the response as sent over the wire: rendered, encoded, compressed, cut into chunks."""
    page = capture.page
    text = page.body if page.template == "raw" else render(capture.site, page)
    try:
        # The byte order is fixed, since the codec called utf-16 uses the machine's.
        data = ("\ufeff" + text).encode("utf-16-le") if page.encoding == "utf-16" else text.encode(page.encoding)
    except UnicodeEncodeError as error:
        raise SampleError(f"{capture.url}: {error.object[error.start : error.end]!r} has no {page.encoding}") from error
    if page.content_encoding == "gzip":
        data = _stored_gzip(data)
    elif page.content_encoding == "broken gzip":
        data = b"\x1f\x8b\x08\x00" + data
    elif page.content_encoding == "br":
        data = brotli.compress(data)
    if page.transfer_encoding == "chunked":
        chunks = [data[start : start + _CHUNK_BYTES] for start in range(0, len(data), _CHUNK_BYTES)]
        data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return data


def _record(kind: WarcRecordType, name: str, date: datetime) -> WarcRecord:
    record = WarcRecord()
    stamp = f"{date:%Y-%m-%dT%H:%M:%SZ}"
    # Derived from the address, so that a rebuilt sample has the same ids.
    record.init_headers(kind, uuid.uuid5(uuid.NAMESPACE_URL, f"{kind!s} {stamp} {name}").urn.removeprefix("urn:").encode())
    record.headers["WARC-Date"] = stamp
    return record


def _http_head(page: Page, length: int) -> bytes:
    charset = "" if page.http_charset == "none" else f"; charset={page.http_charset}"
    lines = [f"HTTP/1.1 {page.status}", f"Content-Type: {page.content_type}{charset}"]
    if page.content_encoding:
        lines.append(f"Content-Encoding: {page.content_encoding.removeprefix('broken ')}")
    if page.transfer_encoding:
        lines.append(f"Transfer-Encoding: {page.transfer_encoding}")
    elif page.record != "truncated":
        lines.append(f"Content-Length: {length}")
    lines += [f"{name}: {value}" for name, value in page.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _stored_gzip(data: bytes) -> bytes:
    """`data` (under 64 KiB) as a gzip member with one stored block (RFC 1951, 3.2.4; RFC 1952).

    zlib is not used, because its builds pack the same data into different bytes.
    """
    head = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
    block = b"\x01" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data
    return head + block + struct.pack("<II", zlib.crc32(data), len(data))
