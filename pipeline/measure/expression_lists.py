"""Lists of expressions, and how much of a text they cover: NG expressions, allowed expressions, dating services.

A list is a text file in UTF-8 with one expression per line; white space around it, empty lines and lines that begin with `#`
are ignored. A folder means all its `.txt` files. Matching is exact, as in Swallow's `ngword.py`: the longest expression at the
leftmost place, then the next one after its end. (That file also holds variants in other kana and widths, but does not use them.)

*Allowed* expressions are how the corpus of the paper kept innocent words that contain an NG expression, such as ピエロ. An
allowed expression that begins no later and ends later than an NG expression is matched instead of it; one that equals it
cancels it.
"""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from pipeline.errors import UserError
from pipeline.measure.config import MeasureConfig

_LARGEST_TABLE = 16 * 2**20  # bytes; the bundled lists need a third, lists of a thousand entries use the slower automaton
BUNDLED = resources.files("pipeline.measure") / "lists"


class ExpressionListError(UserError):
    """A list cannot be read; the message names the file, and the line if there is one."""


class Found(NamedTuple):
    """What the lists find in one text."""

    ng_letters: int  # letters of NG expressions, ignoring allowed ones (as the published code does)
    ng_letters_not_allowed: int  # letters of NG expressions outside allowed ones (as the paper does)
    dating: bool  # whether any dating expression occurs


def read_expressions(source: Path | None, bundled: str) -> tuple[str, ...]:
    """The expressions of a file or a folder, or of the bundled list `bundled` if `source` is None; sorted, each once.

    Raises ExpressionListError if there is no such file, a folder has no `.txt` file, or a line is not UTF-8 or contains a
    control character.
    """
    if source is None:
        return tuple(sorted(_parse((BUNDLED / bundled).read_bytes(), f"bundled list {bundled}")))
    if source.is_dir():
        files = sorted(source.glob("*.txt"))
        if not files:
            raise ExpressionListError(f"{source}: the folder holds no .txt file; name a folder of lists, or one list")
    elif source.is_file():
        files = [source]
    else:
        raise ExpressionListError(f"{source}: no such file or folder; name a list of expressions, or leave the key out")
    return tuple(sorted(set().union(*(_parse(file.read_bytes(), str(file)) for file in files))))


def _parse(content: bytes, name: str) -> set[str]:
    """The expressions in the bytes of one file; `name` is used in errors. Raises ExpressionListError."""
    expressions = set()
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            expression = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise ExpressionListError(f"{name}, line {number}: not UTF-8 ({error.reason}); convert the file") from error
        if not expression or expression.startswith("#"):
            continue
        if any(character < " " or character == "\x7f" for character in expression):
            raise ExpressionListError(f"{name}, line {number}: {expression!r} holds a control character; remove it")
        expressions.add(expression)
    return expressions


class _Matcher:
    """One list, compiled. Time is linear in the text, whatever the number of expressions."""

    def __init__(self, expressions: tuple[str, ...]) -> None:
        # UTF-8 preserves the order and the boundaries of characters, so matching bytes is matching characters.
        patterns = [expression.encode("utf-8") for expression in expressions]
        # A table of all transitions is twice as fast, but takes up to 1 kB per byte of the list.
        small = sum(map(len, patterns)) <= _LARGEST_TABLE // 1024
        self._automaton = BytesAhoCorasick(
            patterns,
            matchkind=MatchKind.LeftmostLongest,
            implementation=Implementation.DFA if small else Implementation.ContiguousNFA,
        )

    def find(self, text: bytes) -> list[int]:
        """The numbers of the expressions found, in the order of the text."""
        return [number for number, _, _ in self._automaton.find_matches_as_indexes(text)]


class ExpressionLists:
    """The three lists that measuring needs, compiled.

    They cannot be pickled, so each worker reads its own.
    """

    def __init__(self, ng: Iterable[str], allowed: Iterable[str], dating: Iterable[str]) -> None:
        self.ng = tuple(sorted(set(ng)))
        self.allowed = tuple(sorted(set(allowed)))
        self.dating = tuple(sorted(set(dating)))
        # An expression that is both NG and allowed is allowed. Allowed ones come first, so their numbers are the lower ones.
        self._ng_and_allowed = self.allowed + tuple(sorted(set(self.ng) - set(self.allowed)))
        self._match_any = _Matcher(tuple(sorted({*self.ng, *self.allowed, *self.dating})))
        self._match_ng = _Matcher(self.ng)
        self._match_ng_and_allowed = _Matcher(self._ng_and_allowed)
        self._match_dating = _Matcher(self.dating)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the three lists' sorted entries, part of the key of every unit that is measured with them."""
        content = "\n\n".join("\n".join(entries) for entries in (self.ng, self.allowed, self.dating))
        return hashlib.sha256(content.encode("utf-8")).hexdigest()

    def find(self, text: bytes) -> Found:
        """What the lists find in `text` (UTF-8)."""
        # Nearly all texts have no expression; one pass shows it.
        if not self._match_any.find(text):
            return Found(0, 0, False)
        return Found(
            ng_letters=sum(len(self.ng[number]) for number in self._match_ng.find(text)),
            ng_letters_not_allowed=sum(
                len(self._ng_and_allowed[number])
                for number in self._match_ng_and_allowed.find(text)
                if number >= len(self.allowed)
            ),
            dating=bool(self._match_dating.find(text)),
        )


def read_lists(config: MeasureConfig) -> ExpressionLists:
    """The lists that the section `measure` names. Raises ExpressionListError."""
    return ExpressionLists(
        ng=read_expressions(config.ng_expressions, "ng_expressions.txt"),
        allowed=read_expressions(config.allowed_expressions, "allowed_expressions.txt"),
        dating=read_expressions(config.dating_expressions, "dating_expressions.txt"),
    )
