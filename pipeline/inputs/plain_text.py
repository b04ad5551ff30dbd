"""Reads a text file as one record."""

from collections.abc import Iterator
from typing import IO

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.json_files import corrupt_text, oversized
from pipeline.inputs.members import DamageError
from pipeline.inputs.record import Limits, Record, Source
from pipeline.inputs.unpacked import Unpacked

_BLOCK_BYTES = 64 << 10


def read_text(stream: IO[bytes], source: Source, limits: Limits, _fields: FieldsConfig) -> Iterator[Record]:
    """Yield the file as one record, whose encoding is found later, as that of a page is.

    A file above the limit is flagged `oversized_text`. Of a damaged packed file there is the text before the damage, and a
    `corrupt_record`.
    """
    max_bytes = limits.text_bytes
    unpacked = Unpacked(stream, source.uri)
    pieces: list[bytes] = []
    length = 0
    damaged: Record | None = None
    while length <= max_bytes:
        try:
            if not unpacked.advance():
                break
            piece = unpacked.read(len(unpacked.peek(_BLOCK_BYTES)))
            pieces.append(piece)
            length += len(piece)
        except DamageError as damage:
            unread, lost = unpacked.resume()
            pieces.append(unread)
            length += len(unread)
            damaged = corrupt_text(length, f"{damage}; {lost} bytes of the file are lost")
            break
    if length > max_bytes:
        yield oversized(0, length)
    elif length:
        yield Record("text", 0, length, body=b"".join(pieces))
    if damaged is not None:
        yield damaged
