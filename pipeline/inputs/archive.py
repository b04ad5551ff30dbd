"""Reads the records of a WARC or ARC file by the project's own means, damaged or not.

A damaged place becomes a record with `problem="corrupt_record"`, and reading continues: a record whose stated length does not
lead to the next one, a broken gzip member or zstd frame, and a file that ends inside a record. One bad byte costs one page and
not the rest of the file.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

from pipeline.inputs.http_message import MAX_HEADER_BYTES, read_message
from pipeline.inputs.members import HEAD_BYTES, DamageError, Members
from pipeline.inputs.record import Record
from pipeline.inputs.unpacked import Unpacked

_LINE_ENDS = b"\r\n"
_WRONG_LENGTH = "its Content-Length does not lead to the next record"
# A signed column of 64 bits holds any number of 18 digits. No file is as long.
MAX_LENGTH_DIGITS = 18
_PAGE_KINDS = ("response", "resource", "conversion")


class Header(NamedTuple):
    """A header: the record's fields, the length of its block as stated or "", and whether the block is an HTTP message."""

    record: Record
    length: str
    is_http: bool


class Form(NamedTuple):
    """A form of archive. begins: matches at the beginning of a record. start: finds one in other bytes, with more evidence.

    header_end: the end of a header. read_header: reads one, with its end.
    """

    begins: re.Pattern[bytes]
    start: re.Pattern[bytes]
    header_end: re.Pattern[bytes]
    read_header: Callable[[bytes], Header]


def known_records(records: Iterable[Record], seen: bool, error: Callable[[str], Exception]) -> Iterator[Record]:
    """`records`, if one of them is recognised, or one was `seen` before; what comes before the first is held back until then.

    Raises what `error` makes of the detail of the first record if there are records but none is recognised.
    """
    unknown: list[Record] = []
    for record in records:
        seen = seen or record.kind != "corrupt"
        unknown.append(record)
        if seen:
            yield from unknown
            unknown.clear()
    if unknown:
        raise error(unknown[0].detail)


def read_archive(
    stream: IO[bytes], name: str, form: Form, start: int, end: int, max_bytes: int, joined: bool = False
) -> Iterator[Record]:
    """Yield the records that begin in bytes [start, end) of `stream` (end < 0: to its end), in file order.

    `start` is the beginning of a record or of a member; joined: records can go on from one member to the next. A body above
    `max_bytes` is flagged `oversized_page` and not read.
    """
    unpacked = Unpacked(stream, name, start, joined)
    while True:
        offset = unpacked.offset
        try:
            if not _skip_line_ends(unpacked):
                return
            offset = unpacked.offset
            if 0 <= end <= offset:
                return
            if not form.begins.match(unpacked.peek(HEAD_BYTES)):
                _find_record(unpacked, form)
                yield corrupt(offset, "bytes that hold no record")
                continue
        except DamageError as damage:
            yield corrupt(offset, _lost(unpacked, form, damage))
            continue
        yield _read_record(unpacked, form, offset, max_bytes)


def corrupt(offset: int, detail: str) -> Record:
    """What stands for bytes in which no record was recognised."""
    return Record("corrupt", offset, problem="corrupt_record", detail=detail)


def with_block(record: Record, is_http: bool, block: bytes, length: int, max_bytes: int) -> Record:
    """`record` with what its block of `length` bytes holds; of a block above `max_bytes`, only the beginning need be given."""
    message = read_message(block) if is_http else None
    body_start = 0
    if message is not None:
        body_start = message.body_start
        record = record._replace(
            http_status=message.status,
            content_type=message.content_type,
            http_charset=message.http_charset,
            content_encoding=message.content_encoding,
            transfer_encoding=message.transfer_encoding,
        )
    record = record._replace(length=length - body_start)
    return record._replace(problem="oversized_page") if record.length > max_bytes else record._replace(body=block[body_start:])


def is_page(record: Record) -> bool:
    """Whether the block of a record is read: it can hold a page, and all of it."""
    return record.kind in _PAGE_KINDS and not record.truncated


def record_starts_after(stream: IO[bytes], position: int, form: Form) -> int | None:
    """The first byte offset >= `position` at which a record begins (in a packed file: a member that begins with one), or None."""
    members = Members(stream, "")
    if members.packed:
        found = members.find(position, lambda head: form.begins.match(head.lstrip(_LINE_ENDS)) is not None)
        return found if found < members.size else None
    unpacked = Unpacked(stream, "", position)
    return unpacked.position if unpacked.search(form.start, HEAD_BYTES) else None


def _skip_line_ends(unpacked: Unpacked) -> bool:
    """Pass over the line ends between records; False at the end of the file."""
    while unpacked.advance():
        head = unpacked.peek(HEAD_BYTES)
        ends = len(head) - len(head.lstrip(_LINE_ENDS))
        if not ends:
            return True
        unpacked.skip(ends)
    return False


def _find_record(unpacked: Unpacked, form: Form) -> None:
    """Go on to the next record, in this member or at the beginning of a later one, or to the end of the file."""
    while not unpacked.search(form.start, HEAD_BYTES) and unpacked.advance():
        if form.begins.match(unpacked.peek(HEAD_BYTES)):
            return


def _lost(unpacked: Unpacked, form: Form, damage: DamageError) -> str:
    """Go on after the damage; returns what is to be said of it."""
    _, lost = unpacked.resume(lambda head: form.begins.match(head.lstrip(_LINE_ENDS)) is not None)
    return f"{damage}; {lost} bytes are lost"


def _read_record(unpacked: Unpacked, form: Form, offset: int, max_bytes: int) -> Record:
    """The record at the current place. Afterwards the place is that of the next record, or the end of a member."""
    record = Record("corrupt", offset)
    try:
        head, problem = _read_header(unpacked, form)
        header = form.read_header(head)
        record = header.record._replace(offset=offset)
        record, problem = (record, problem) if problem else _read_block(unpacked, form, header, record, max_bytes)
        if not problem:
            return record
        if not unpacked.search(form.start, HEAD_BYTES):
            unpacked.peek(1)  # damage at the end of this member is told with this record
    except DamageError as damage:
        problem = _lost(unpacked, form, damage)
    return record._replace(problem="corrupt_record", detail=problem, body=b"")


def _read_header(unpacked: Unpacked, form: Form) -> tuple[bytes, str]:
    """The bytes of a header with its end, and what is wrong with it, or ""."""
    size = HEAD_BYTES
    while (end := form.header_end.search(head := unpacked.peek(size))) is None and len(head) == size < MAX_HEADER_BYTES:
        size *= 4
    length = end.end() if end is not None else len(head)
    # Bytes are missing inside this header if another one begins in it.
    inner = form.start.search(unpacked.peek(length + HEAD_BYTES), 1)
    if inner is not None and inner.start() < length:
        return unpacked.read(inner.start()), "the next record begins inside its header"
    if end is None:
        return unpacked.read(length), "its header has no end"
    return unpacked.read(length), ""


def _read_block(unpacked: Unpacked, form: Form, header: Header, record: Record, max_bytes: int) -> tuple[Record, str]:
    """The record with its block, and what is wrong with its length, or ""; then the place is where the block begins."""
    if not (header.length.isascii() and header.length.isdigit() and len(header.length) <= MAX_LENGTH_DIGITS):
        return record, f"its length {header.length[:40]!r} is no number of bytes" if header.length else "it states no length"
    length = int(header.length)
    record = record._replace(length=length)
    place = unpacked.mark
    wanted = min(length, max_bytes + MAX_HEADER_BYTES) if is_page(record) else 0
    block = unpacked.read(wanted)
    done = len(block) + unpacked.skip(length - len(block))
    ends, sound = _line_ends(unpacked, form) if done == length else (b"", False)
    if sound:
        return with_block(record, header.is_http, block, length, max_bytes) if is_page(record) else record, ""
    if len(block) == done:
        unpacked.unread(block + ends)
    else:
        unpacked.rewind(place)
    return record, f"the file ends after {done} of its {length} bytes" if done < length else _WRONG_LENGTH


def _line_ends(unpacked: Unpacked, form: Form) -> tuple[bytes, bool]:
    """Read the line ends after a record; returns them, and whether the next record or the end of the member comes then."""
    ends = b""
    while len(ends) < HEAD_BYTES and (head := unpacked.peek(HEAD_BYTES)):
        rest = head.lstrip(_LINE_ENDS)
        ends += unpacked.read(len(head) - len(rest))
        if rest:
            return ends, form.begins.match(unpacked.peek(HEAD_BYTES)) is not None
    return ends, True
