"""Reads the records of a WARC file, damaged or not: a damaged place becomes a record with a `problem`, and reading continues.

FastWARC reads; this module decides where to continue when it stops. A record whose stated length does not lead to the next
record, a broken gzip member, and a file that ends inside a record are yielded with `problem="corrupt_record"`. Then the search
for the next record begins, so that one bad byte costs one page and not the rest of the file.
"""

import re
import zlib
from collections.abc import Iterator
from typing import IO

import zstandard
from fastwarc.warc import ArchiveIterator, HeaderMap, WarcRecord

from pipeline.errors import UserError
from pipeline.inputs.record import Record

_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_RECORD_START = b"WARC/1."
# The version line must be followed by a header with WARC-Type: in a page, these words hardly ever occur at the start of a line
# with a WARC-Type below.
_PLAIN_HEADER = re.compile(rb"WARC/1\.[01]\r?\n(?:[^\r\n]+\r?\n){0,40}?WARC-Type:", re.IGNORECASE)
_SCAN_BYTES = 1 << 20
_HEADER_BYTES = 4096  # enough bytes to recognise a record
# Far above Common Crawl's longest response headers. FastWARC's default of 32 KiB fails on some real pages.
_MAX_HEADER_BYTES = 256 << 10


class NotWarcError(UserError):
    """The file contains no WARC record at all."""


def read_warc(  # noqa: C901  one loop, with a case for each way in which a record can be broken
    stream: IO[bytes], name: str, start: int, end: int, max_bytes: int
) -> Iterator[Record]:
    """Yield the records that begin in bytes [start, end) of `stream` (end < 0: to its end), in file order.

    A body above `max_bytes` is flagged `oversized_page` and not read. An empty file has no records. Raises NotWarcError, naming
    the file and the remedy, if there are bytes but not one record.
    """
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    if not head:
        return
    _require_warc(head, name)
    position: int | None = start
    gap: Record | None = None  # unreadable bytes that are not yet reported
    seen = start > 0
    while position is not None:
        began = position
        held: Record | None = None  # already read; what follows must still confirm its stated length
        try:
            for record in _records_from(stream, position, end, max_bytes):
                if gap is not None:
                    yield gap
                    gap = None
                if held is not None:
                    yield held
                held = record
            if held is not None:
                yield held
            last = began if held is None else held.offset
            # A damaged member header ends FastWARC's reading without an error, so look for records after it.
            position = record_starts_after(stream, last + 1) if _is_compressed(head) else None
            if position is not None and not 0 <= end <= position:
                gap = Record("corrupt", last + 1, problem="corrupt_record", detail="bytes that no reader understands")
                continue
            break
        except OSError as error:
            if held is None:
                yield Record("corrupt", began, problem="corrupt_record", detail=str(error))
                gap = None
                last = began
            elif "Invalid WARC header" in str(error):
                detail = "its Content-Length does not lead to the next record"
                yield held._replace(problem="corrupt_record", detail=detail, body=b"")
                last = held.offset
            else:
                yield held
                gap = Record("corrupt", held.offset + 1, problem="corrupt_record", detail=str(error))
                last = held.offset
            seen = seen or held is not None
            position = record_starts_after(stream, last + 1)
            if position is not None and 0 <= end <= position:
                return
            if position is None and not seen:
                raise NotWarcError(f"{name}: no WARC record can be read ({error})") from error
    if gap is not None:
        yield gap


def _require_warc(head: bytes, name: str) -> None:
    """Raise NotWarcError for an ARC file; any other beginning may be damaged WARC and is left to the search for records."""
    plain = head
    if head.startswith(_GZIP_MAGIC):
        plain = _inflated(head)
    if plain.startswith(b"filedesc://"):
        raise NotWarcError(f"{name} is an ARC file, the format before WARC; convert it first (warcio recompress)")


def _records_from(stream: IO[bytes], position: int, end: int, max_bytes: int) -> Iterator[Record]:
    """Yield the records from `position` on. Raises OSError where FastWARC cannot continue."""
    stream.seek(position)
    for raw in ArchiveIterator(stream, parse_http=False, max_header_len=_MAX_HEADER_BYTES, fsspec_args=False):
        offset = raw.stream_pos  # counted from the start of the file, because the stream can tell its position
        if 0 <= end <= offset:
            return
        yield _read_record(raw, offset, max_bytes)
        if _swallowed_a_header(raw):
            raise OSError("Invalid WARC header within another header")


def _swallowed_a_header(raw: WarcRecord) -> bool:
    """Whether bytes are missing inside the header, so that the next record's header was read as part of it."""
    http = raw.http_headers if raw.is_http_parsed else None
    return len(raw.headers.get_multiple("WARC-Type")) > 1 or (http is not None and "WARC-Record-ID" in http)


def _read_record(raw: WarcRecord, offset: int, max_bytes: int) -> Record:
    kind = str(raw.record_type)
    headers = _by_name(raw.headers)
    record = Record(
        kind=kind,
        offset=offset,
        length=raw.content_length,
        url=headers.get("warc-target-uri", "").strip("<>"),
        date=headers.get("warc-date", ""),
        record_id=headers.get("warc-record-id", ""),
        truncated=headers.get("warc-truncated", ""),
    )
    if not headers.get("content-length", "").strip().isdigit():
        return record._replace(problem="corrupt_record", detail="no Content-Length; the file may end in its header")
    if kind not in ("response", "resource", "conversion") or record.truncated:
        return record
    if raw.is_http:
        raw.parse_http(max_header_len=_MAX_HEADER_BYTES)
    http = raw.http_headers if raw.is_http_parsed else None
    if http is not None:
        sent = _by_name(http)
        record = record._replace(
            length=raw.content_length,
            http_status=http.status_code,
            content_type=sent.get("content-type", "").lower(),
            http_charset=raw.http_charset,
            content_encoding=sent.get("content-encoding", "").lower(),
            transfer_encoding=sent.get("transfer-encoding", "").lower(),
        )
    else:
        record = record._replace(content_type=headers.get("content-type", "").lower())
    if raw.content_length > max_bytes:
        return record._replace(problem="oversized_page")
    body = raw.reader.read(raw.content_length) if raw.content_length else b""
    if len(body) < raw.content_length:
        return record._replace(problem="corrupt_record", detail=f"the file ends after {len(body)} of {raw.content_length} bytes")
    return record._replace(body=body)


def _by_name(headers: HeaderMap) -> dict[str, str]:
    """The first value of each header by lower-case name. One look-up in FastWARC takes as long as building this dict."""
    return {name.lower(): value for name, value in reversed(headers.astuples())}


def record_starts_after(stream: IO[bytes], position: int) -> int | None:
    """The first byte offset >= `position` at which a record begins, or None.

    Compressed files have one record per member (WARC 1.1, annex D), so a record begins at a member whose first bytes
    decompress to a version line.
    """
    stream.seek(0)
    magic = stream.read(4)
    compressed = _is_compressed(magic)
    wanted = (_ZSTD_MAGIC if magic == _ZSTD_MAGIC else _GZIP_MAGIC) if compressed else _RECORD_START
    stream.seek(position)
    chunk = b""
    while True:
        fresh = stream.read(_SCAN_BYTES)
        chunk += fresh
        found = chunk.find(wanted)
        # The last bytes are examined together with the next chunk, so that no header is cut in two.
        while found >= 0 and (len(chunk) - found >= _HEADER_BYTES or len(fresh) < _SCAN_BYTES):
            if _is_record(chunk[found : found + _HEADER_BYTES], compressed):
                return position + found
            found = chunk.find(wanted, found + 1)
        if len(fresh) < _SCAN_BYTES:
            return None
        kept = max(0, len(chunk) - _HEADER_BYTES) if found < 0 else found
        position += kept
        chunk = chunk[kept:]


def _is_compressed(head: bytes) -> bool:
    return head.startswith((_GZIP_MAGIC, _ZSTD_MAGIC))


def _is_record(head: bytes, compressed: bool) -> bool:
    if not compressed:
        return _PLAIN_HEADER.match(head) is not None
    if head.startswith(_ZSTD_MAGIC):
        try:
            return zstandard.ZstdDecompressor().decompressobj().decompress(head).startswith(_RECORD_START)
        except zstandard.ZstdError:
            return False
    return _inflated(head).startswith(_RECORD_START)


def _inflated(head: bytes) -> bytes:
    """The first decompressed bytes of a gzip member, as far as `head` goes; empty if it is not one."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEADER_BYTES)
    except zlib.error:
        return b""
