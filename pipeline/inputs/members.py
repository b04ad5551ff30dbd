"""Unpacks the members of a file: gzip members (RFC 1952, section 2.2) or zstd frames (RFC 8878, section 3.1).

The first bytes of a file decide whether it is packed, not its name; a plain file is one member. All bytes before the first
damaged one are delivered before DamageError is raised. The search for the next member begins inside the damaged one, because
damage can hide where that one ends.
"""

import re
import zlib
from collections.abc import Callable
from typing import IO

import zstandard

from pipeline.inputs.record import InputError

HEAD_BYTES = 4096  # enough bytes to recognise what a member holds
_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# RFC 8878, section 3.1.2: frames to skip. One of them holds the dictionary of a WARC file in zstd (IIPC, 2021).
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_DICTIONARY_MAGIC = b"\x5d\x2a\x4d\x18"
_SKIPPABLE_HEADER = 8
_OTHER_PACKERS = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"PK\3\4": "zip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"\x04\x22\x4d\x18": "lz4",
}
_PLAIN_BYTES = 1 << 18
_GZIP_BYTES = 1 << 16
# zstandard unpacks all that it is given, and four bytes can be a block of 128 KiB: 64 MiB at most.
_ZSTD_BYTES = 2 << 10
_UNPACKED_BYTES = 1 << 18
_SCAN_BYTES = 1 << 20


class DamageError(Exception):
    """The file cannot be read at byte `offset`, and nothing after it up to the next member."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} at byte {offset} of the file")
        self.offset = offset


class _Gzip:
    """Unpacks one gzip member; zlib checks its CRC and length."""

    def __init__(self, _dictionary: bytes) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    def unpack(self, raw: bytes, limit: int = 0) -> tuple[bytes, bytes, bool]:
        """At most `limit` unpacked bytes (0: all), what is left of `raw`, and whether the member has ended."""
        block = self._inflate.decompress(raw, limit)
        ended = self._inflate.eof
        return block, self._inflate.unused_data if ended else self._inflate.unconsumed_tail, ended


class _Zstd:
    """Unpacks one zstd frame."""

    def __init__(self, dictionary: bytes) -> None:
        known = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._frame = zstandard.ZstdDecompressor(dict_data=known).decompressobj()

    def unpack(self, raw: bytes, limit: int = 0) -> tuple[bytes, bytes, bool]:
        """As _Gzip.unpack, but without a limit."""
        block = self._frame.decompress(raw)
        return block, self._frame.unused_data if self._frame.eof else b"", self._frame.eof


_PackingError = (zlib.error, zstandard.ZstdError, MemoryError)


class Members:
    """The members of `stream`, which can seek; the first is open. `member` is the offset of the open one.

    Raises InputError, with the `name` of the file, if it is packed in another way.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self.size = stream.seek(0, 2)
        stream.seek(0)
        head = stream.read(HEAD_BYTES)
        for magic, packer in _OTHER_PACKERS.items():
            if head.startswith(magic):
                raise InputError(f"{name} is packed with {packer}: unpack it, or pack it with gzip or zstd")
        self._codec: type[_Gzip] | type[_Zstd] | None = None
        # Where the first bytes are damaged, the name and a later member tell it.
        if head.startswith(_GZIP_MAGIC) or (name.endswith(".gz") and _GZIP_MAGIC in head):
            self._codec = _Gzip
        elif head.startswith(_ZSTD_MAGIC) or _SKIPPABLE.match(head) or (name.endswith(".zst") and _ZSTD_MAGIC in head):
            self._codec = _Zstd
        self._magic = _GZIP_MAGIC if self._codec is _Gzip else _ZSTD_MAGIC
        self._read_bytes = {None: _PLAIN_BYTES, _Gzip: _GZIP_BYTES, _Zstd: _ZSTD_BYTES}[self._codec]
        self._dictionary = b""
        self._raw, self._raw_end = b"", -1
        self.open(0)
        if self._codec is _Zstd:
            self.open(self._skip_frames(0))

    @property
    def packed(self) -> bool:
        """Whether the file is packed."""
        return self._codec is not None

    @property
    def read_to(self) -> int:
        """The offset in the file up to which its bytes have been used."""
        return self._raw_end - len(self._raw)

    def open(self, offset: int) -> None:
        """Begin the member at that offset; beyond the end of the file there is an empty one."""
        if offset != self.read_to:
            self._raw = b""
            self._raw_end = self._stream.seek(offset)
        self.member = offset
        self._unpacker = self._codec(self._dictionary) if self._codec is not None and offset < self.size else None
        self._damage: DamageError | None = None
        self._delivered = 0

    def next_block(self) -> bytes:
        """The next unpacked bytes of the open member; b"" at its end. Raises DamageError."""
        if self._damage is not None:
            raise self._damage
        if self._codec is None:
            block = self._stream.read(self._read_bytes)
            self._raw_end += len(block)
            return block
        while self._unpacker is not None:
            if not self._raw and not self._refill():
                block = self._unpacker.unpack(b"", _UNPACKED_BYTES)[0]  # what zlib has unpacked but not yet handed out
                if not block:
                    raise self.fail("the file ends inside compressed data")
                self._delivered += len(block)
                return block
            raw_at = self.read_to
            try:
                block, self._raw, ended = self._unpacker.unpack(self._raw, _UNPACKED_BYTES)
            except _PackingError as error:
                block = self._salvage(raw_at, str(error) or type(error).__name__)
                if not block:
                    assert self._damage is not None
                    raise self._damage from error
                return block
            if ended:
                self._unpacker = None
            if block:
                self._delivered += len(block)
                return block
        return b""

    def open_next(self) -> bool:
        """After the end of the open member, begin the next; False at the end of the file. Raises DamageError between members."""
        if not self.packed:
            return False
        offset = self.read_to
        if self._codec is _Zstd:
            offset = self._skip_frames(offset)
        self.open(offset)
        while len(self._raw) < len(self._magic) and self._refill():
            pass
        if not self._raw:
            return False
        if not self._raw.startswith(self._magic):
            raise self.fail("bytes that are no compressed data")
        return True

    def fail(self, reason: str) -> DamageError:
        """The error that the rest of the open member cannot be read."""
        self._damage = DamageError(self.read_to, reason)
        return self._damage

    def open_after_damage(self, begins: Callable[[bytes], bool]) -> int:
        """Begin the next member whose first unpacked bytes satisfy `begins`, or the end of the file; returns the bytes lost."""
        assert self._damage is not None
        damaged_at = self._damage.offset
        self.open(self.find(self.member + 1, begins))
        return max(0, self.member - damaged_at)

    def find(self, position: int, begins: Callable[[bytes], bool]) -> int:
        """The first offset >= `position` of a member whose first unpacked bytes satisfy `begins`, or the file's size."""
        if not self.packed:
            return self.size
        self._stream.seek(position)
        self._raw, self._raw_end = b"", -1  # the stream is elsewhere now
        chunk = b""
        while True:
            fresh = self._stream.read(_SCAN_BYTES)
            chunk += fresh
            found = chunk.find(self._magic)
            # The last bytes are examined together with the next chunk, so that no beginning is cut in two.
            while found >= 0 and (len(chunk) - found >= HEAD_BYTES or len(fresh) < _SCAN_BYTES):
                if begins(self._first_bytes(chunk[found : found + HEAD_BYTES])):
                    return position + found
                found = chunk.find(self._magic, found + 1)
            if len(fresh) < _SCAN_BYTES:
                return self.size
            kept = max(0, len(chunk) - HEAD_BYTES) if found < 0 else found
            position += kept
            chunk = chunk[kept:]

    def _first_bytes(self, head: bytes) -> bytes:
        """The first unpacked bytes of a member, as far as `head` goes; empty if it is not one."""
        assert self._codec is not None
        try:
            return self._codec(self._dictionary).unpack(head, HEAD_BYTES)[0]
        except _PackingError:
            return b""

    def _refill(self) -> bool:
        fresh = self._stream.read(self._read_bytes)
        self._raw += fresh
        self._raw_end += len(fresh)
        return bool(fresh)

    def _salvage(self, raw_at: int, reason: str) -> bytes:
        """The bytes before the damage that are not yet delivered: unpack the member again, byte by byte from `raw_at` on."""
        assert self._codec is not None
        unpacker, left = self._codec(self._dictionary), -self._delivered
        self._stream.seek(self.member)
        pieces: list[bytes] = []
        offset = self.member
        while True:
            raw = self._stream.read(min(self._read_bytes, raw_at - offset) if offset < raw_at else 1)
            try:
                block = unpacker.unpack(raw)[0]
            except _PackingError:
                break
            if not raw:
                break
            offset += len(raw)
            if left + len(block) > 0:
                pieces.append(block[max(0, -left) :])
            left += len(block)
        self._raw, self._raw_end = b"", offset
        self._damage = DamageError(offset, f"damaged compressed data ({reason})")
        self._delivered += max(0, left)
        return b"".join(pieces)

    def _skip_frames(self, offset: int) -> int:
        """The offset after the skippable frames at `offset`; the dictionary among them is kept for the frames after it."""
        self._stream.seek(offset)
        self._raw, self._raw_end = b"", offset
        while _SKIPPABLE.match(header := self._stream.read(_SKIPPABLE_HEADER)) and len(header) == _SKIPPABLE_HEADER:
            size = int.from_bytes(header[4:], "little")
            if header.startswith(_DICTIONARY_MAGIC):
                content = self._stream.read(size)
                packed = content.startswith(_ZSTD_MAGIC)
                self._dictionary = zstandard.ZstdDecompressor().decompress(content, 1 << 24) if packed else content
            offset += _SKIPPABLE_HEADER + size
            self._stream.seek(offset)
        self._stream.seek(offset)
        self._raw_end = offset
        return offset
