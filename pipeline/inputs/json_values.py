"""Splits JSON into the objects of its array, or of a series, without holding more than one of them in memory."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.inputs.unpacked import Unpacked

LARGE = "longer than the limit"
_BLOCK_BYTES = 64 << 10
# Between values: white space, commas, and the brackets of the array itself.
_BETWEEN = b" \t\r\n,[]"
_OUTSIDE = re.compile(rb"[^\"{}\[\]]*+")
_INSIDE = re.compile(rb"(?:[^\"\\\n]++|\\[^\n])*+")  # a string; JSON writes a line feed in it as \n
_SCALAR = re.compile(rb"[^,\n]*+")
_OPENS = b"{["
_OPENED_BY = {ord("}"): ord("{"), ord("]"): ord("[")}


class Value(NamedTuple):
    """The bytes of a value, where it begins, and their number; without the bytes if there is a problem."""

    offset: int
    length: int
    content: bytes
    problem: str = ""


def split_values(unpacked: Unpacked, max_bytes: int) -> Iterator[Value]:
    """Yield the values from the current place on, each a JSON object as far as its brackets tell, in file order.

    If a value does not end (a bracket or quotation mark is missing), the next one is taken to begin at the first line that
    begins as the lines did at which values began.
    """
    before = b""  # the last bytes before the value: they hold its indentation
    while unpacked.advance():
        head = unpacked.peek(_BLOCK_BYTES)
        between = len(head) - len(head.lstrip(_BETWEEN))
        if between:
            before = (before + unpacked.read(between))[-_BLOCK_BYTES:]
            continue
        indentation = before[before.rfind(b"\n") :].lstrip(b",[]") if b"\n" in before else b""
        before = b""
        yield _next_value(unpacked, indentation + b"{" if indentation else b"", max_bytes)


def _next_value(unpacked: Unpacked, line_start: bytes, max_bytes: int) -> Value:
    offset = unpacked.position
    if unpacked.peek(1) != b"{":
        scalar = _SCALAR.match(unpacked.peek(_BLOCK_BYTES))
        length = unpacked.skip(max(1, scalar.end() if scalar is not None else 1))
        return Value(offset, length, b"", "not an object")
    place = unpacked.mark
    brackets = _Brackets(line_start)
    pieces: list[bytes] = []
    length = 0
    problem = ""
    while brackets.are_open or not length:
        if not unpacked.advance():
            problem = "the file ends inside it"
            break
        block = unpacked.peek(_BLOCK_BYTES)
        piece = unpacked.read(brackets.take(block))
        length += len(piece)
        if brackets.broken:
            problem = "a string without an end, or brackets that do not match"
            break
        if length > max_bytes:
            pieces.clear()
            problem = LARGE
            if brackets.suspect:
                break
        else:
            pieces.append(piece)
    if problem and brackets.suspect:
        unpacked.rewind(place)
        length = unpacked.skip(brackets.suspect)
        return Value(offset, length, b"", "a bracket or quotation mark is missing in it")
    return Value(offset, length, b"" if problem else b"".join(pieces), problem)


class _Brackets:
    """Follows brackets and strings through the blocks of a value.

    broken: a string has no end, or a bracket is closed by one of the other kind. suspect: how many bytes after the value's
    beginning a line begins like the value's own (`line_start`), or 0.
    """

    def __init__(self, line_start: bytes) -> None:
        self._open = bytearray()
        self.broken = False
        self.suspect = 0
        self._in_string = False
        self._escaped = False
        self._seen = 0
        self._line_start = line_start
        self._tail = b""

    @property
    def are_open(self) -> bool:
        """Whether the value goes on."""
        return bool(self._open)

    def take(self, block: bytes) -> int:
        """Follow `block`; returns how many of its bytes belong to the value."""
        at = int(self._escaped)
        self._escaped = False
        while at < len(block):
            found = (_INSIDE if self._in_string else _OUTSIDE).match(block, at)
            at = found.end() if found is not None else at
            if at == len(block):
                break
            sign = block[at]
            at += 1
            if sign == ord("\\"):
                self._escaped = at == len(block)
            elif sign == ord("\n"):
                self.broken = True
                break
            elif sign == ord('"'):
                self._in_string = not self._in_string
            else:
                if sign in _OPENS:
                    self._open.append(sign)
                elif self._open.pop() != _OPENED_BY[sign]:
                    self.broken = True
                    break
                if not self._open:
                    break
        if self._line_start and not self.suspect:
            self._look_for_line_start(block[:at])
        self._seen += at
        return at

    def _look_for_line_start(self, block: bytes) -> None:
        joined = self._tail + block
        found = joined.find(self._line_start)
        if found >= 0:
            self.suspect = self._seen - len(self._tail) + found + len(self._line_start) - 1
        self._tail = joined[-len(self._line_start) :]
