"""Reads records from JSON lines, and from JSON that is an array of objects or a series of objects over several lines.

What the file begins with decides how it is read, not its name: public corpora have JSON lines under `.json.gz`.
"""

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.encodings import encoding_hint
from pipeline.inputs.fields import record_of_row
from pipeline.inputs.json_values import LARGE, split_values
from pipeline.inputs.members import DamageError
from pipeline.inputs.record import Record, Source
from pipeline.inputs.unpacked import Unpacked

_HEAD_BYTES = 64 << 10
_BOM = b"\xef\xbb\xbf"
# An array of objects, or an object whose first line is only its beginning: the second begins with a name.
_ARRAY = re.compile(rb"\s*\[\s*(?:[{\]]|\Z)")
_OVER_LINES = re.compile(rb"\s*\{[^\S\n]*\n\s*[\"}]|\s*\{[^\n]*[,{\[][^\S\n]*\n\s*\"")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_DETAIL_CHARACTERS = 200


def read_json(stream: IO[bytes], source: Source, max_bytes: int, fields: FieldsConfig) -> Iterator[Record]:
    """Yield one record per object; `fields` says where its text and other fields are.

    Of JSON lines, a range includes the lines that start in it. What is no object, or damaged, is flagged `corrupt_record`, and
    what is longer than `max_bytes` `oversized_text`. Damage in a packed file is a `corrupt_record`, and what can be read before
    and after it is read.
    """
    unpacked = Unpacked(stream, source.uri, max(0, source.start - 1))
    if not source.start:
        try:
            head = unpacked.peek(_HEAD_BYTES)
        except DamageError:
            head = b""
        if head.startswith(_BOM):
            unpacked.skip(len(_BOM))
            head = head[len(_BOM) :]
        if _ARRAY.match(head) or _OVER_LINES.match(head):
            yield from _read_values(unpacked, max_bytes, fields)
            return
    yield from _read_lines(unpacked, source, max_bytes, fields)


def _read_lines(unpacked: Unpacked, source: Source, max_bytes: int, fields: FieldsConfig) -> Iterator[Record]:
    if source.start:
        unpacked.read_line(max_bytes)
    while source.end < 0 or unpacked.position < source.end:
        position = unpacked.position
        try:
            line, length = unpacked.read_line(max_bytes)
            if line.isspace():
                unpacked.skip_blank_lines()
        except DamageError as damage:
            yield from _damaged(unpacked, damage, position, fields)
            continue
        if not length:
            return
        if not line:
            yield oversized(position, length)
        elif not line.isspace():
            yield record_of_json(line, fields, position)


def _read_values(unpacked: Unpacked, max_bytes: int, fields: FieldsConfig) -> Iterator[Record]:
    while True:
        position = unpacked.position
        try:
            for value in split_values(unpacked, max_bytes):
                position = unpacked.position
                if value.problem == LARGE:
                    yield oversized(value.offset, value.length)
                elif value.problem:
                    yield corrupt_text(value.offset, value.problem, value.length)
                else:
                    yield record_of_json(value.content, fields, value.offset)
            return
        except DamageError as damage:
            yield from _damaged(unpacked, damage, position, fields)


def _damaged(unpacked: Unpacked, damage: DamageError, position: int, fields: FieldsConfig) -> Iterator[Record]:
    """What a line holds that damage has cut off, if it is whole, and the record that says what is lost. Reading can go on."""
    unread, lost = unpacked.resume()
    last = record_of_json(unread, fields, position)
    if not last.problem:
        yield last
        position += len(unread)
    yield corrupt_text(position, f"{damage}; {lost} bytes of the file are lost")


def record_of_json(line: bytes, fields: FieldsConfig, offset: int) -> Record:
    """The record that one JSON object holds; anything else is a `corrupt_record` that says why."""
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_object)
        if _SURROGATE.search(line):
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        return corrupt_text(offset, "it is nested too deeply", len(line))
    except UnicodeEncodeError as error:
        return corrupt_text(offset, f"\\u{ord(error.object[error.start]):04x} without the other half of its character", len(line))
    except UnicodeDecodeError:
        return corrupt_text(offset, encoding_hint(line), len(line))
    except ValueError as error:
        return corrupt_text(offset, encoding_hint(line) if b"\0" in line else str(error)[:_DETAIL_CHARACTERS], len(line))
    if not isinstance(row, dict):
        return corrupt_text(offset, "not an object", len(line))
    return record_of_row(row, fields, offset, len(line))


def corrupt_text(offset: int, detail: str, length: int = 0) -> Record:
    """A record of a text input that cannot be read."""
    return Record("text", offset, length, problem="corrupt_record", detail=detail)


def oversized(offset: int, length: int) -> Record:
    """A record of a text input that is longer than the limit."""
    return Record("text", offset, length, problem="oversized_text")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; raises ValueError if a name has two values, of which none is better than the other."""
    row = dict(pairs)
    if len(row) != len(pairs):
        for name, value in pairs:
            if row[name] != value:
                raise ValueError(f"{name!r} has two values")
    return row
