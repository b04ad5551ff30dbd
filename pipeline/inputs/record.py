"""A source and a record, in the same form for every input format."""

from typing import NamedTuple

from pipeline.errors import UserError


class InputError(UserError):
    """An input cannot be read at all; the message names it and the remedy."""


class Source(NamedTuple):
    """An input file, or the range [start, end) of its bytes (Parquet: of its row groups), and its identity."""

    uri: str
    start: int
    end: int  # -1: to the end of the file
    identity: str  # changes when the file changes
    version: str = ""  # of a file on a web server: its ETag or Last-Modified, which the bytes that are read must have


class Limits(NamedTuple):
    """The largest body of a page, and the largest record of a file of texts, in bytes."""

    page_bytes: int
    text_bytes: int


class Record(NamedTuple):
    """One record of an input, read but not judged.

    kind: the WARC record type (`response`, `request`, …), `text` for inputs that are already text, `corrupt` if no record was
    recognised. offset: where it begins in the file (bytes; Parquet: row number). length: bytes of the body as stated, or of the
    line. record_id: the id that it came with. metadata: its other fields, a JSON object. problem: the rule that drops the record
    unread, or "". detail: more on the problem. inside: in an input that holds archives, the name of the one that has the record
    and the offset.
    """

    kind: str
    offset: int
    length: int = 0
    url: str = ""
    date: str = ""
    record_id: str = ""
    http_status: int | None = None
    content_type: str = ""
    http_charset: str | None = None
    content_encoding: str = ""
    transfer_encoding: str = ""
    truncated: str = ""
    body: bytes = b""
    title: str = ""
    text: str = ""
    metadata: str = "{}"
    problem: str = ""
    detail: str = ""
    inside: str = ""
