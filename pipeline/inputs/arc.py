"""Reads the records of an ARC file, the Internet Archive's format before WARC, version 1 or 2, plain or packed.

https://archive.org/web/researcher/ArcFileFormat.php: a record is a line with URL, IP address, date, media type and length, in
version 2 with five more fields before the length, and then as many bytes.
"""

import re
from collections.abc import Iterator
from typing import IO

from pipeline.inputs.archive import Form, Header, known_records, read_archive
from pipeline.inputs.record import InputError, Record

_FIELDS_1 = re.compile(rb"(?P<url>.+) \S* (?P<date>\d{12,18}) (?P<type>.*) (?P<length>\S+)\s*")
_FIELDS_2 = re.compile(rb"(?P<url>.+) \S* (?P<date>\d{12,18}) (?P<type>.*) \d+ \S+ \S+ \S+ \S+ (?P<length>\S+)\s*")
# The scheme says what a record is; those of pages that were fetched without HTTP have no HTTP message.
_KINDS = {"http": "response", "https": "response", "filedesc": "filedesc", "dns": "dns"}


def read_arc(stream: IO[bytes], name: str, max_bytes: int) -> Iterator[Record]:
    """Yield the records of an ARC file in file order; a body above `max_bytes` is flagged `oversized_page` and not read.

    Raises InputError, naming the file, if there are bytes but not one record.
    """
    records = read_archive(stream, name, FORM, 0, -1, max_bytes)
    yield from known_records(records, False, lambda detail: InputError(f"{name}: no ARC record can be read: {detail}"))


def _read_header(head: bytes) -> Header:
    fields = _FIELDS_2.fullmatch(head) or _FIELDS_1.fullmatch(head)
    if fields is None:
        return Header(Record("corrupt", 0), "", False)
    url, date, media_type, length = (fields[name].decode("utf-8", "replace") for name in ("url", "date", "type", "length"))
    kind = _KINDS.get(url.partition(":")[0].lower(), "resource")
    record = Record(kind=kind, offset=0, url=url, date=_iso_date(date), content_type=media_type.lower())
    return Header(record, length, kind == "response")


def _iso_date(digits: str) -> str:
    """14 digits as in WARC-Date; others as they are."""
    if len(digits) < 14:
        return digits
    parts = [digits[:4], *(digits[at : at + 2] for at in range(4, 14, 2))]
    return "{}-{}-{}T{}:{}:{}Z".format(*parts)


FORM = Form(
    begins=re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{1,20}:[^\r\n]+ \d{12,18} [^\r\n]+\r?\n"),
    start=re.compile(rb"(?<=\n)[A-Za-z][A-Za-z0-9+.-]{1,20}:[^\s]+ \d+\.\d+\.\d+\.\d+ \d{14} [^\r\n]+ \d+\r?\n"),
    header_end=re.compile(rb"\n"),
    read_header=_read_header,
)
