"""Reads the records of a WARC file.

FastWARC reads as long as all is as the usual writers have it. The project's own reader takes over for the rest of a file where
something is not: damage, names of headers in another case (WARC 1.1, section 4), lines that end in LF alone.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import IO

from fastwarc.warc import ArchiveIterator, WarcRecord

from pipeline.errors import UserError
from pipeline.inputs import archive
from pipeline.inputs.archive import MAX_LENGTH_DIGITS, Form, Header, is_page, known_records, read_archive, with_block
from pipeline.inputs.http_message import BLANK_LINE, MAX_HEADER_BYTES, header_fields
from pipeline.inputs.members import DamageError
from pipeline.inputs.record import Record
from pipeline.inputs.unpacked import Unpacked

_ARC_BEGINS = b"filedesc:"


class NotWarcError(UserError):
    """The file contains no WARC record at all."""


def read_warc(stream: IO[bytes], name: str, start: int, end: int, max_bytes: int) -> Iterator[Record]:
    """Yield the records that begin in bytes [start, end) of `stream` (end < 0: to its end), in file order.

    A body above `max_bytes` is flagged `oversized_page` and not read. An empty file has no records. Raises NotWarcError, naming
    the file, if there are bytes but not one record.
    """
    held: Record | None = None  # only what follows confirms its stated length
    done = 0
    for record in _standard_records(stream, start, end, max_bytes):
        if held is not None:
            yield held
            done += 1
        held = record
    rest = read_archive(stream, name, FORM, start if held is None else held.offset, end, max_bytes)
    first = next(rest, None)
    if held is not None and not _is_same(first, held):
        # One member holds several records, or a record is in several: FastWARC gives no offset that one can go back to.
        rest = read_archive(stream, name, FORM, start, end, max_bytes, joined=True)
        first = next(islice(rest, done, None), None)

    def no_warc(detail: str) -> NotWarcError:
        return NotWarcError(f"{name}: no WARC record can be read: {_what_it_is(stream, name) or detail}")

    records = chain([] if first is None else [first], rest)
    yield from known_records(records, start > 0 or held is not None, no_warc)


def record_starts_after(stream: IO[bytes], position: int) -> int | None:
    """The first byte offset >= `position` at which a record begins, or None.

    Compressed files have one record per member (WARC 1.1, annex D), so there a record begins where a member does.
    """
    return archive.record_starts_after(stream, position, FORM)


def _standard_records(stream: IO[bytes], start: int, end: int, max_bytes: int) -> Iterator[Record]:
    """Yield the records from `start` on, up to the first that FastWARC does not read to the letter of the standard."""
    stream.seek(start)
    try:
        for raw in ArchiveIterator(stream, parse_http=False, max_header_len=MAX_HEADER_BYTES, fsspec_args=False):
            offset = raw.stream_pos  # counted from the start of the file, because the stream can tell its position
            if 0 <= end <= offset:
                return
            record = _standard_record(raw, offset, max_bytes)
            if record is None:
                return
            yield record
    except OSError:
        return  # the reader that takes over says what is wrong, or fails in the same way where the file cannot be read


def _standard_record(raw: WarcRecord, offset: int, max_bytes: int) -> Record | None:
    """The record, or None if its header needs the other reader or its block is not all there."""
    pairs = raw.headers.astuples()
    headers = {name.lower(): value for name, value in reversed(pairs)}  # one look-up in FastWARC takes as long as all of this
    length = headers.get("content-length", "")
    if length != str(raw.content_length) or len(length) > MAX_LENGTH_DIGITS:
        return None
    if raw.content_length > max_bytes + MAX_HEADER_BYTES:
        return None  # FastWARC unpacks what it passes over, however much that is
    # Where bytes are missing inside a header, the next record's header was read as part of it.
    if sum(name == "WARC-Type" for name, _ in pairs) != 1 or any("\n" in value for _, value in pairs):
        return None
    record, is_http = _record_of(headers)
    record = record._replace(offset=offset, length=raw.content_length)
    if not is_page(record):
        return record
    block = raw.reader.read(raw.content_length) if raw.content_length else b""
    return with_block(record, is_http, block, raw.content_length, max_bytes) if len(block) == raw.content_length else None


def _record_of(headers: Mapping[str, str]) -> tuple[Record, bool]:
    """The record that a WARC header describes, and whether its block is an HTTP message."""
    content_type = headers.get("content-type", "").lower()
    is_http = content_type.startswith("application/http")
    record = Record(
        kind=headers.get("warc-type", "unknown").lower(),
        offset=0,
        url=headers.get("warc-target-uri", "").strip("<>"),
        date=headers.get("warc-date", ""),
        record_id=headers.get("warc-record-id", ""),
        truncated=headers.get("warc-truncated", ""),
        content_type="" if is_http else content_type,
    )
    return record, is_http


def _read_header(head: bytes) -> Header:
    fields = header_fields(head.partition(b"\n")[2])
    record, is_http = _record_of({name: values[0] for name, values in fields.items()})
    return Header(record, fields.get("content-length", [""])[0], is_http)


def _what_it_is(stream: IO[bytes], name: str) -> str:
    """What else a file is, and what to do; "" if that is not known."""
    try:
        head = Unpacked(stream, name).peek(len(_ARC_BEGINS))
    except DamageError:
        return ""
    return "it is an ARC file, so its name should end in .arc or .arc.gz" if head == _ARC_BEGINS else ""


def _is_same(record: Record | None, other: Record) -> bool:
    """Whether two readers found the same record."""
    return record is not None and record[:1] + record[3:6] == other[:1] + other[3:6]


FORM = Form(
    begins=re.compile(rb"WARC/[01]\.\d"),
    # In a page, these words hardly ever occur at the start of a line with WARC-Type below.
    start=re.compile(rb"WARC/[01]\.\d+[ \t]*\r*\n(?:[^\r\n]+\r*\n){0,40}?(?i:WARC-Type)[ \t]*:"),
    header_end=BLANK_LINE,
    read_header=_read_header,
)
