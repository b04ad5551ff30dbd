"""A stream that remembers what it has read last, so that going back a little asks no server again."""

import io
from collections import deque
from typing import IO

# The largest pages, and the beginning of a file, which tells its format.
_REMEMBERED_BYTES = 16 << 20
_HEAD_BYTES = 8192


class Recent(io.RawIOBase):
    """`stream`, which can seek; its beginning and its last bytes are served from memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._blocks: deque[bytes] = deque()
        self._remembered = 0
        self._head = b""
        self._at = self._end = stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            self._at = self._stream.seek(offset, whence)
            self._stream.seek(self._end)
        else:
            self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, or fewer at the end of the file."""
        pieces: list[bytes] = []
        while size:
            piece = self._remembered_piece(size)
            if not piece:
                if self._at != self._end:
                    self._forget()
                piece = self._stream.read(size)
                self._remember(piece)
            if not piece:
                break
            self._at += len(piece)
            size -= len(piece) if size > 0 else 0
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _remembered_piece(self, size: int) -> bytes:
        limit = self._at + size if size > 0 else None
        if self._at < len(self._head):
            return self._head[self._at : limit]
        begin = self._end - self._remembered
        if not begin <= self._at < self._end:
            return b""
        for block in self._blocks:
            if self._at < begin + len(block):
                return block[self._at - begin :][: None if limit is None else size]
            begin += len(block)
        return b""

    def _remember(self, piece: bytes) -> None:
        if self._end == len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
        self._blocks.append(piece)
        self._remembered += len(piece)
        self._end += len(piece)
        while self._remembered > _REMEMBERED_BYTES and len(self._blocks) > 1:
            self._remembered -= len(self._blocks.popleft())

    def _forget(self) -> None:
        self._blocks.clear()
        self._remembered = 0
        self._end = self._stream.seek(self._at)
