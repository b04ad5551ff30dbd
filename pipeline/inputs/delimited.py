"""Reads records from CSV and TSV files whose first row has the names of the columns (RFC 4180), in UTF-8."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import IO, NamedTuple

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.encodings import encoding_hint
from pipeline.inputs.fields import check_columns, record_of_row
from pipeline.inputs.json_files import corrupt_text, oversized
from pipeline.inputs.members import DamageError
from pipeline.inputs.record import InputError, Limits, Record, Source
from pipeline.inputs.unpacked import Unpacked

# Spreadsheets write `;` where `,` is the decimal sign.
_DELIMITERS = ",\t;"
_BOM = b"\xef\xbb\xbf"
_HEADER_BYTES = 64 << 10
# A field in quotation marks may hold lines. After so many the mark is taken for a stray one: a text of 10,000 lines is a book.
_MAX_LINES = 10_000


def read_delimited(stream: IO[bytes], source: Source, limits: Limits, fields: FieldsConfig) -> Iterator[Record]:
    """Yield one record per row; a record's offset is that of its row.

    A row that has more or fewer fields than the header, is not UTF-8, or whose quotation mark has no end is flagged
    `corrupt_record`, a row above the limit `oversized_text`. Raises InputError if the header has no column for the text.
    """
    csv.field_size_limit(max(csv.field_size_limit(), limits.text_bytes))
    rows = _Rows(Unpacked(stream, source.uri), limits.text_bytes)
    header: list[str] = []
    while True:
        try:
            row = rows.next_row()
        except DamageError as damage:
            if not header:
                raise InputError(f"{source.uri}: the first row, with the names of the columns, is damaged: {damage}") from damage
            yield corrupt_text(rows.position, rows.resume(damage))
            continue
        if row is None:
            return
        if not header:
            if row.problem:
                raise InputError(f"{source.uri}: its first row, with the names of the columns, cannot be read: {row.problem}")
            header = [name.strip() for name in row.values]
            check_columns(source.uri, header, fields)
        elif row.problem == _LARGE:
            yield oversized(row.offset, row.length)
        elif row.problem or len(row.values) != len(header):
            problem = row.problem or f"it has {len(row.values)} fields, the header {len(header)}"
            yield corrupt_text(row.offset, problem, row.length)
        else:
            yield record_of_row(dict(zip(header, row.values, strict=True)), fields, row.offset, row.length)


_LARGE = "longer than the limit"


class _Row(NamedTuple):
    offset: int
    length: int
    values: list[str]
    problem: str = ""


class _Rows:
    """The rows of a file. position: where the next one begins, in unpacked bytes."""

    def __init__(self, unpacked: Unpacked, max_bytes: int) -> None:
        self._unpacked = unpacked
        self._max_bytes = max_bytes
        self._waiting: deque[bytes] = deque()  # lines that were read as part of a row, and are not
        self._used: list[bytes] = []
        self._delimiter = ""
        self._large = 0  # bytes of a line that was too long to be held
        self.position = 0

    def next_row(self) -> _Row | None:
        """The next row; None at the end of the file. Raises DamageError, from which `resume` goes on."""
        while True:
            if not self._delimiter:
                self._begin()
            self._used = []
            self._large = 0
            offset = self.position
            values: list[str] = []
            problem = ""
            try:
                values = next(csv.reader(self._lines(), delimiter=self._delimiter, strict=True), [])
            except csv.Error as error:
                problem = str(error)
            if not self._used and not self._large:
                return None
            if self._large:
                return self._row(offset, [], _LARGE)
            if problem:
                self._waiting.extendleft(reversed(self._used[1:]))
                del self._used[1:]
                literal = self._used[0].decode("utf-8", "surrogateescape").rstrip("\r\n")
                values = literal.split("\t") if self._delimiter == "\t" else []  # many write TSV without quotation marks
            if values:
                broken = any(not _is_utf_8(value) for value in values)
                return self._row(offset, values, encoding_hint(b"".join(self._used)) if broken else "")
            if problem:
                return self._row(offset, [], problem)
            self.position += len(self._used[0])
            if not self._waiting:
                before = self._unpacked.position
                self._unpacked.skip_blank_lines()
                self.position += self._unpacked.position - before

    def resume(self, damage: DamageError) -> str:
        """Go on after the damage; returns what is to be said of it."""
        _, lost = self._unpacked.resume()
        self.position = self._unpacked.position
        return f"{damage}; {lost} bytes of the file are lost"

    def _row(self, offset: int, values: list[str], problem: str) -> _Row:
        length = sum(map(len, self._used)) + self._large
        self.position += length
        return _Row(offset, length, [] if problem else values, problem)

    def _lines(self) -> Iterator[str]:
        """The lines of one row, as its reader asks for them."""
        held = 0
        while True:
            if self._waiting:
                line = self._waiting.popleft()
                length = len(line)
            else:
                line, length = self._unpacked.read_line(self._max_bytes)
            if not length:
                return
            if not line:
                self._large = length
                return
            self._used.append(line)
            held += length
            if held > self._max_bytes or len(self._used) > _MAX_LINES:
                raise csv.Error("a quotation mark without an end within the limits")
            yield line.decode("utf-8", "surrogateescape")

    def _begin(self) -> None:
        """Pass over the byte order mark; the first line shows what separates the columns."""
        first = self._unpacked.peek(_HEADER_BYTES).partition(b"\n")[0]
        self._delimiter = max(_DELIMITERS, key=first.decode("utf-8", "replace").count)
        if first.startswith(_BOM):
            self.position += self._unpacked.skip(len(_BOM))


def _is_utf_8(value: str) -> bool:
    return value.isascii() or not any("\udc80" <= character <= "\udcff" for character in value)
