"""Reads the WARC files inside a WACZ file (https://specs.webrecorder.net/wacz/1.1.1/), which is a zip with a folder `archive`."""

import io
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from pipeline.inputs.archive import corrupt
from pipeline.inputs.record import InputError, Record
from pipeline.inputs.unpacked import FREE_BYTES, FREE_RATIO
from pipeline.inputs.warc import NotWarcError, read_warc

_FOLDER = "archive/"
_SUFFIXES = (".warc", ".warc.gz", ".warc.zst")
# APPNOTE.TXT 4.3.7: the fixed part of a local header, which ends with the lengths of the name and the extra field.
_LOCAL_HEADER = struct.Struct("<26xHH")
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError)


def read_wacz(stream: IO[bytes], name: str, max_bytes: int) -> Iterator[Record]:
    """Yield the records of each WARC file inside, in the order of their names; `Record.inside` is that name.

    Offsets are those in the inner file. An inner file that cannot be read is one `corrupt_record`. Raises InputError if the file
    is no zip, or has no WARC file.
    """
    try:
        wacz = zipfile.ZipFile(stream)
    except _DAMAGED as error:
        raise InputError(f"{name} is not a WACZ file, or its end is missing: {error}") from error
    inner = sorted(
        (info for info in wacz.infolist() if info.filename.startswith(_FOLDER) and info.filename.endswith(_SUFFIXES)),
        key=lambda info: info.filename,
    )
    if not inner:
        raise InputError(f"{name} has no WARC file in its folder {_FOLDER}")
    for info in inner:
        try:
            with _open(wacz, stream, info) as warc:
                for record in read_warc(warc, f"{name}#{info.filename}", 0, -1, max_bytes):
                    yield record._replace(inside=info.filename)
        except (*_DAMAGED, NotWarcError) as error:
            yield corrupt(0, str(error))._replace(inside=info.filename)


def _open(wacz: zipfile.ZipFile, stream: IO[bytes], info: zipfile.ZipInfo) -> IO[bytes]:
    """The bytes of an inner file: where it is, as the standard has it, or unpacked to a temporary file."""
    if info.header_offset < 0:
        raise zipfile.BadZipFile(f"{info.filename} would begin before the file")
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
        stream.seek(info.header_offset)
        name_bytes, extra_bytes = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
        begin = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        return io.BufferedReader(_Window(stream, begin, info.file_size))
    if info.file_size > FREE_BYTES + FREE_RATIO * info.compress_size:
        raise ValueError(f"{info.filename} would unpack from {info.compress_size} to {info.file_size} bytes")
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
    with wacz.open(info) as packed:
        shutil.copyfileobj(packed, unpacked)
    return unpacked


class _Window(io.RawIOBase):
    """The bytes [begin, begin + size) of a stream, as a stream."""

    def __init__(self, stream: IO[bytes], begin: int, size: int) -> None:
        self._stream = stream
        self._begin = begin
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        self._stream.seek(self._begin + self._at)
        piece = self._stream.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
