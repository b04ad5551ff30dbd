"""What an input is, and what a record of it is: the same for every format."""

from typing import NamedTuple

from pipeline.errors import UserError


class InputError(UserError):
    """An input that cannot be read at all; the message names it and the remedy."""


class Source(NamedTuple):
    """A file, or the range [start, end) of its bytes (of its row groups for Parquet), and its identity."""

    uri: str
    start: int
    end: int  # -1: to the end of the file
    identity: str  # changes when the file changes


class Record(NamedTuple):
    """One record of an input, read but not judged.

    kind: the WARC record type (`response`, `request`, …), `text` for inputs that are text already, `corrupt` where no
    record could be made out. offset: where it begins in the file (bytes; row number for Parquet). problem: the rule
    that drops it before anything is read of it, or "".
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
    problem: str = ""
    detail: str = ""
