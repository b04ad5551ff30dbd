"""The unpacked bytes of a file, read forwards by pieces, lines and patterns.

Damage is an error at its place, and reading can go on after it. The work for bytes that become no record is bounded, so that a
file of a megabyte cannot occupy a worker for minutes.
"""

import re
from collections.abc import Callable
from typing import IO, NamedTuple

from pipeline.inputs.members import DamageError, Members

# Unpacked bytes that may be passed over: a GiB, which takes seconds, and more in a large file, because markup and tables pack to
# a thirtieth at best. Deflate reaches a thousandth.
FREE_BYTES = 1 << 30
FREE_RATIO = 32


class Mark(NamedTuple):
    """A place to come back to: a member's offset, and the unpacked bytes before the place, in the member and in all."""

    member: int
    within: int
    position: int


class Unpacked:
    """The unpacked bytes of `stream`, which can seek, from the member that begins at byte `start`; `name` is for errors.

    joined: members are read as if they were one. position: unpacked bytes read so far; in a plain file the offset in it. Every
    method that reads raises DamageError where the
    damage is; `resume` goes on after it.
    """

    def __init__(self, stream: IO[bytes], name: str, start: int = 0, joined: bool = False) -> None:
        self._members = Members(stream, name)
        self._joined = joined
        self.packed = self._members.packed
        self.position = 0 if self.packed else start
        self._passed_over = 0
        self._line: list[bytes] = []
        if start:
            self._members.open(start)
        self._buffer = b""
        self._at = 0
        self._forget()

    @property
    def offset(self) -> int:
        """Where a reader must begin to read what comes next: at the member, or at the byte itself in a plain file."""
        return self._members.member if self.packed else self.position

    @property
    def mark(self) -> Mark:
        """The place of the next byte."""
        if not self.packed:
            return Mark(self.position, 0, self.position)
        return Mark(self._origin, self._unpacked - len(self._buffer) + self._at, self.position)

    def rewind(self, mark: Mark) -> None:
        """Go back to a place, at the cost of unpacking its member again."""
        self._members.open(mark.member)
        self._forget()
        self.position = mark.position - mark.within
        self.skip(mark.within)

    def unread(self, piece: bytes) -> None:
        """Put back `piece`, the last bytes that were read, all of them from the current member."""
        self._buffer = piece + self._buffer[self._at :]
        self._at = 0
        self.position -= len(piece)

    def advance(self) -> bool:
        """Whether there are bytes left; begins the next member after the end of the current one."""
        while self._at == len(self._buffer):
            if not self._more():
                if not self._members.open_next():
                    return False
                self._forget()
        return True

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or fewer at the end of the member, or before damage, which is raised where there are none."""
        try:
            while len(self._buffer) - self._at < size and self._more():
                pass
        except DamageError:
            if self._at == len(self._buffer):
                raise
        return self._buffer[self._at : self._at + size]

    def read(self, size: int) -> bytes:
        """The next `size` bytes, or fewer at the end of the member."""
        pieces: list[bytes] = []
        while size > 0 and (self._at < len(self._buffer) or self._more()):
            piece = self._buffer[self._at : self._at + size]
            self._take(len(piece))
            size -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def skip(self, size: int) -> int:
        """Pass over `size` bytes, or fewer at the end of the member; returns how many."""
        done = min(size, len(self._buffer) - self._at)
        self._take(done)
        if not self.packed and size > done:
            further = max(0, min(size - done, self._members.size - self.position))
            self.position += further
            self._members.open(self.position)
            self._forget()
            return done + further
        while done < size and self._more():
            piece = min(size - done, len(self._buffer) - self._at)
            self._take(piece)
            done += piece
            self._pass_over(piece)
        return done

    def read_line(self, limit: int) -> tuple[bytes, int]:
        """The next line, through members, and its length; b"" for a line above `limit` bytes, which is not held in memory.

        (b"", 0) at the end of the file. After DamageError, `resume` returns what the line began with.
        """
        end = self._buffer.find(b"\n", self._at) + 1
        if end and end - self._at <= limit:
            line = self._buffer[self._at : end]
            self._take(len(line))
            return line, len(line)
        length = 0
        while not length or not end:
            if not self.advance():
                break
            end = self._buffer.find(b"\n", self._at) + 1
            piece = self._buffer[self._at : end or len(self._buffer)]
            self._take(len(piece))
            length += len(piece)
            if length <= limit:
                self._line.append(piece)
            else:
                self._line.clear()
                self._pass_over(len(piece))
        line = b"".join(self._line)
        self._line.clear()
        return line, length

    def skip_blank_lines(self) -> None:
        """Pass over lines of white space alone, block by block."""
        while self.advance():
            rest = self._buffer[self._at :].lstrip()
            end = len(self._buffer) - len(rest)
            if rest:
                end = self._buffer.rfind(b"\n", self._at, end) + 1 or self._at
            blank = end - self._at
            self._take(blank)
            self._pass_over(blank)
            if rest:
                return

    def search(self, pattern: re.Pattern[bytes], longest: int) -> bool:
        """Pass over bytes up to the next match of `pattern`, which looks at most `longest` bytes ahead; False at the end of the
        member."""
        while True:
            ended = len(self.peek(longest)) < longest
            found = pattern.search(self._buffer, self._at)
            if found is not None and (ended or len(self._buffer) - found.start() >= longest):
                self._take(found.start() - self._at)
                return True
            passed = len(self._buffer) - self._at if ended else len(self._buffer) - self._at - longest + 1
            self._take(passed)
            self._pass_over(passed)
            if ended:
                return False

    def resume(self, begins: Callable[[bytes], bool] = bool) -> tuple[bytes, int]:
        """After DamageError, go on at the next member whose first unpacked bytes satisfy `begins`, or at the end of the file.

        Returns the unpacked bytes before the damage that were not read, and how many bytes of the file were lost.
        """
        unread = b"".join(self._line) + self._buffer[self._at :]
        self._line.clear()
        lost = self._members.open_after_damage(begins)
        self._forget()
        return unread, lost

    def _forget(self) -> None:
        self._buffer = b""
        self._at = 0
        self._unpacked = 0
        self._origin = self._members.member

    def _more(self) -> bool:
        """Unpack the next block of the current member; False at its end."""
        block = self._members.next_block()
        while not block and self._joined and self._members.open_next():
            block = self._members.next_block()
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        self._unpacked += len(block)
        return bool(block)

    def _take(self, size: int) -> None:
        self._at += size
        self.position += size

    def _pass_over(self, size: int) -> None:
        self._passed_over += size
        if self.packed and self._passed_over > FREE_BYTES + FREE_RATIO * self._members.read_to:
            raise self._members.fail(f"{self._passed_over >> 20} MiB hold no record, so no more is unpacked")
