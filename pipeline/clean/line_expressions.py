r"""Regular expressions as trees: a parser for the part of the syntax that the lists of lines use.

It reads characters, classes, groups, alternatives and greedy repetitions. Look-aheads are read and left out, and a `\w` is any
character beyond ASCII, so a tree takes whatever its expression takes, and more. Only characters of one UTF-16 code unit are read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.text.character_classes import SPACES

Ranges = tuple[tuple[int, int], ...]  # of code points, both ends included, sorted
LAST_UNIT = 0xFFFF
_REPETITION = re.compile(r"[?*+]|\{(\d+)(,?)(\d*)\}")


class PatternError(ValueError):
    """An expression uses syntax that is not read here; the message names the expression and the place."""


@dataclass(frozen=True)
class Letter:
    """One character of a class."""

    ranges: Ranges


@dataclass(frozen=True)
class Chain:
    """Parts one after another."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Choice:
    """One of several alternatives."""

    options: tuple["Node", ...]


@dataclass(frozen=True)
class Repeated:
    """A part, `least` to `most` times; `most` is None if there is no limit."""

    part: "Node"
    least: int
    most: int | None


Node = Letter | Chain | Choice | Repeated


def read_expression(pattern: str) -> Node:
    """The tree of an expression. Raises PatternError if it uses syntax that is not read here."""
    return _Reader(pattern).read()


class _Reader:
    """A parser of one expression, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def read(self) -> Node:
        """The tree of the whole expression. Raises PatternError."""
        node = self._choice()
        if self._at < len(self._pattern):
            raise self._error("closes nothing")
        return node

    def _error(self, what: str) -> PatternError:
        return PatternError(f"{self._pattern!r}, character {self._at}: {self._pattern[self._at :][:10]!r} {what}")

    def _next_is(self, sign: str) -> bool:
        if self._pattern.startswith(sign, self._at):
            self._at += len(sign)
            return True
        return False

    def _choice(self) -> Node:
        options = [self._chain()]
        while self._next_is("|"):
            options.append(self._chain())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _chain(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            parts.append(self._repeated(self._one()))
        return Chain(tuple(parts))

    def _repeated(self, part: Node) -> Node:
        found = _REPETITION.match(self._pattern, self._at)
        if not found:
            return part
        self._at = found.end()
        if self._pattern[self._at : self._at + 1] in ("?", "+"):
            raise self._error("is a lazy or possessive repetition, which is not read here")
        if found[0] in "?*+":
            return Repeated(part, int(found[0] == "+"), 1 if found[0] == "?" else None)
        least = int(found[1])
        return Repeated(part, least, least if not found[2] else int(found[3]) if found[3] else None)

    def _one(self) -> Node:
        if self._next_is("(?="):
            self._choice()
            if not self._next_is(")"):
                raise self._error("should close a look-ahead")
            return Chain(())
        if self._next_is("(?:") or self._next_is("("):
            node = self._choice()
            if not self._next_is(")"):
                raise self._error("should close a group")
            return node
        if self._next_is("["):
            return self._bracket()
        if self._next_is("."):
            return Letter(_others(((ord("\n"), ord("\n")),)))
        if self._pattern[self._at] in "?*+{^$":
            raise self._error("is not read here")
        return Letter(self._character())

    def _character(self) -> Ranges:
        """A character, or the class that a backslash and a letter mean."""
        escaped = self._next_is("\\")
        sign = self._pattern[self._at : self._at + 1]
        if not sign:
            raise self._error("should go on")
        self._at += 1
        if not escaped or not sign.isalnum():
            code = ord(sign)
        elif sign == "s":
            return _joined((ord(space), ord(space)) for space in SPACES)
        elif sign == "w":
            return _joined([*((ord(first), ord(last)) for first, last in ("09", "AZ", "__", "az")), (0x80, LAST_UNIT)])
        elif sign == "t":
            code = ord("\t")
        elif sign == "u":
            code = int(self._pattern[self._at : self._at + 4], 16)
            self._at += 4
        else:
            raise self._error(f"follows \\{sign}, which is not read here")
        if code > LAST_UNIT:
            raise self._error("follows a character of two code units, which is not read here")
        return ((code, code),)

    def _bracket(self) -> Node:
        negated = self._next_is("^")
        ranges: list[tuple[int, int]] = []
        while not self._next_is("]"):
            if negated and self._pattern.startswith("\\w", self._at):
                raise self._error("is no exact class, so it cannot be negated")
            first = self._character()
            if self._pattern[self._at : self._at + 1] == "-" and self._pattern[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                ranges.append((first[0][0], self._character()[0][1]))
            else:
                ranges += first
        return Letter(_others(_joined(ranges)) if negated else _joined(ranges))


def _joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def _others(ranges: Ranges) -> Ranges:
    edges = [-1, *(edge for pair in ranges for edge in pair), LAST_UNIT + 1]
    return tuple((last + 1, first - 1) for last, first in zip(edges[::2], edges[1::2], strict=True) if last + 1 < first)
