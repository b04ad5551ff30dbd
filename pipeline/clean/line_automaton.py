"""An automaton that finds the lines that regular expressions could match, in one compiled pass over the lines.

Each character or class of an expression is a position, and a line is followed from position to position (Glushkov, The abstract
theory of automata, 1961). Most lines match no expression beyond their second character, so this costs next to nothing compared
with a search for words in the whole text. The automaton takes whatever the expressions take, and more: of a bounded repetition
only the least number is kept. So the expressions themselves decide about the lines that it takes.

Shapes: C classes of characters, S symbols (characters that belong to the same classes share one), P positions, F pairs of a
position and one that follows it, L lines, W positions that begin an expression with nearly any character.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numba
import numpy as np

from pipeline.clean.line_expressions import LAST_UNIT, Chain, Choice, Letter, Node, PatternError, Ranges, read_expression

_SURROGATE = 0xD800


class LineAutomaton(NamedTuple):
    """The automaton of several groups of expressions; each group is a bit."""

    symbols: np.ndarray  # uint16 of shape (65536,): the symbol of each UTF-16 code unit
    takes_SC: np.ndarray  # bool: which classes take each symbol
    pairs_SS: np.ndarray  # int32: the number of each pair of symbols with which a line may begin, 0 for all other pairs
    classes_P: np.ndarray  # int32: the class that each position takes
    groups_P: np.ndarray  # int64: the groups with an expression that ends at the position
    follow_offsets: np.ndarray  # (P + 1,): the positions after `p` are `follow_F[follow_offsets[p]:follow_offsets[p + 1]]`
    follow_F: np.ndarray
    follow_classes_F: np.ndarray  # their classes
    start_offsets: np.ndarray  # (S + 1,): as `follow_offsets`, for the positions at which a line may begin with a symbol
    starts: np.ndarray
    pair_offsets: np.ndarray  # as `follow_offsets`, for the positions to which each pair of symbols leads
    seconds: np.ndarray
    wide_W: np.ndarray  # positions
    needs_W: np.ndarray  # int64: the classes of each of which a line must contain a character, as bits in the order of `asked`


def _is_wide(ranges: Ranges) -> bool:
    """Whether a class takes characters that the expression does not name, among them the halves of pairs."""
    return any(first <= _SURROGATE <= last for first, last in ranges)


class _Part(NamedTuple):
    """Where a part of an expression begins and ends, and whether it also takes the empty string."""

    empty: bool
    firsts: list[int]
    lasts: list[int]


class _Builder:
    """The positions of expressions, and which follow which."""

    def __init__(self) -> None:
        self.letters: list[Ranges] = []
        self.follow: list[dict[int, None]] = []

    def place(self, node: Node) -> _Part:
        """Add the positions of a part of an expression."""
        if isinstance(node, Letter):
            position = len(self.letters)
            self.letters.append(node.ranges)
            # A character that the expression does not name may have two code units.
            self.follow.append({position: None} if _is_wide(node.ranges) else {})
            return _Part(False, [position], [position])
        if isinstance(node, Choice):
            parts = [self.place(option) for option in node.options]
            return _Part(
                any(part.empty for part in parts),
                [first for part in parts for first in part.firsts],
                [last for part in parts for last in part.lasts],
            )
        if isinstance(node, Chain):
            return self._chain(map(self.place, node.parts))
        parts = [self.place(node.part) for _ in range(max(node.least, 1))]
        if node.most is None or node.most > max(node.least, 1):
            self._link(parts[-1].lasts, parts[-1].firsts)
        whole = self._chain(parts)
        return whole if node.least else whole._replace(empty=True)

    def _chain(self, parts: Iterable[_Part]) -> _Part:
        empty, firsts, lasts = True, list[int](), list[int]()
        for part in parts:
            self._link(lasts, part.firsts)
            firsts = firsts + part.firsts if empty else firsts
            lasts = lasts + part.lasts if part.empty else part.lasts
            empty = empty and part.empty
        return _Part(empty, firsts, lasts)

    def needed_from(self, position: int, ends: Iterable[int]) -> list[Ranges]:
        """The classes of which every line that begins at `position` and reaches one of `ends` contains a character."""
        reached = self._reached(position, None)
        classes = dict.fromkeys(self.letters[other] for other in reached if not _is_wide(self.letters[other]))
        return [ranges for ranges in classes if self._reached(position, ranges).isdisjoint(ends)]

    def _reached(self, position: int, without: Ranges | None) -> set[int]:
        reached = {position}
        ahead = [position]
        while ahead:
            following = {other for other in self.follow[ahead.pop()] if self.letters[other] != without} - reached
            reached |= following
            ahead += following
        return reached

    def _link(self, lasts: Iterable[int], firsts: Sequence[int]) -> None:
        for last in lasts:
            self.follow[last].update(dict.fromkeys(firsts))


def line_automaton(
    groups: Sequence[Sequence[str]], equal: Sequence[tuple[str, str]] = (), most_asked: int = 0
) -> tuple[LineAutomaton, tuple[Ranges, ...]]:
    """The automaton of groups of expressions, and the classes that its `needs_W` asks for.

    These are at most `most_asked`; without the others the automaton takes more lines. The first character of each pair in `equal`
    is read as the second. Raises PatternError for an expression that takes the empty line, or that uses syntax that
    `line_expressions` does not read.
    """
    builder = _Builder()
    ends: dict[int, int] = {}
    starts: list[int] = []
    wide: list[int] = []
    for group, patterns in enumerate(groups):
        for pattern in patterns:
            part = builder.place(read_expression(pattern))
            if part.empty:
                raise PatternError(f"{pattern!r} takes an empty line; make a part of it obligatory")
            for last in part.lasts:
                ends[last] = ends.get(last, 0) | 1 << group
            for first in part.firsts:
                (wide if _is_wide(builder.letters[first]) else starts).append(first)

    needs = [builder.needed_from(position, ends) for position in wide]
    asked = tuple(dict.fromkeys(ranges for need in needs for ranges in need))[:most_asked]
    classes = {ranges: number for number, ranges in enumerate(dict.fromkeys(builder.letters))}
    symbols, takes_SC = _symbols(list(classes), equal)
    classes_P = np.array([classes[ranges] for ranges in builder.letters], dtype=np.int32)
    follow_offsets, follow_F = _flattened(builder.follow)
    starting = [[start for start in starts if takes[classes_P[start]]] for takes in takes_SC]
    second_sets = [sorted({second for first in row for second in builder.follow[first]}) for row in starting]
    pairs_SS, pair_offsets, seconds = _pairs([np.array(row, dtype=np.int32) for row in second_sets], takes_SC, classes_P)
    automaton = LineAutomaton(
        symbols=symbols,
        takes_SC=takes_SC,
        pairs_SS=pairs_SS,
        classes_P=classes_P,
        groups_P=np.array([ends.get(position, 0) for position in range(len(classes_P))], dtype=np.int64),
        follow_offsets=follow_offsets,
        follow_F=follow_F,
        follow_classes_F=classes_P[follow_F],
        **dict(zip(("start_offsets", "starts"), _flattened(starting), strict=True)),
        pair_offsets=pair_offsets,
        seconds=seconds,
        wide_W=np.array(wide, dtype=np.int32),
        needs_W=np.array([sum(1 << bit for bit, ranges in enumerate(asked) if ranges in need) for need in needs], dtype=np.int64),
    )
    return automaton, asked


def _symbols(classes: Sequence[Ranges], equal: Sequence[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """The symbol of each code unit, and which classes take each symbol."""
    edges = np.unique([0, LAST_UNIT + 1, *(edge for ranges in classes for first, last in ranges for edge in (first, last + 1))])
    takes = np.zeros((len(classes), len(edges) - 1), dtype=np.bool_)
    for number, ranges in enumerate(classes):
        for first, last in ranges:
            takes[number, np.searchsorted(edges, first) : np.searchsorted(edges, last + 1)] = True
    columns = [column.tobytes() for column in np.packbits(takes, axis=0).T]
    numbers = {column: number for number, column in enumerate(dict.fromkeys(columns))}
    stands_for = {column: index for index, column in enumerate(columns)}
    takes_SC = np.ascontiguousarray(takes[:, [stands_for[column] for column in numbers]].T)
    symbols = np.repeat(np.array([numbers[column] for column in columns], dtype=np.uint16), np.diff(edges))
    for read, as_other in equal:
        symbols[ord(read)] = symbols[ord(as_other)]
    return symbols, takes_SC


def _pairs(
    seconds: Sequence[np.ndarray], takes_SC: np.ndarray, classes_P: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of pairs of symbols and, flattened, the positions to which each leads.

    `seconds` holds for each first symbol the positions that may follow it.
    """
    pairs_SS = np.zeros((len(takes_SC), len(takes_SC)), dtype=np.int32)
    sizes, positions = [0], [np.zeros(0, dtype=np.int32)]
    for first, following in enumerate(seconds):
        symbols, which = np.nonzero(takes_SC[:, classes_P[following]])
        counts = np.bincount(symbols, minlength=len(takes_SC))
        leading = np.flatnonzero(counts)
        pairs_SS[first, leading] = np.arange(len(sizes), len(sizes) + len(leading))
        sizes += counts[leading].tolist()
        positions.append(following[which])
    return pairs_SS, np.concatenate([np.zeros(1, dtype=np.int32), np.cumsum(sizes, dtype=np.int32)]), np.concatenate(positions)


def _flattened(rows: Sequence[Iterable[int]]) -> tuple[np.ndarray, np.ndarray]:
    lists = [list(row) for row in rows]
    offsets = np.concatenate([np.zeros(1, dtype=np.int32), np.cumsum([len(row) for row in lists], dtype=np.int32)])
    return offsets, np.array([number for row in lists for number in row], dtype=np.int32)


@numba.njit(cache=True, nogil=True)
def groups_that_may_take(
    units: np.ndarray, firsts_L: np.ndarray, pasts_L: np.ndarray, seen_L: np.ndarray, longest: int, automaton: LineAutomaton
) -> np.ndarray:
    """The groups, as bits, with an expression that may take each of L lines: int64 of shape (L,).

    A line is `units[first:past]`, in UTF-16; if it has more than `longest` code units, no group takes it. The bits of `seen` are
    the `asked` classes of which the line contains a character.
    """
    groups_L = np.zeros(len(firsts_L), dtype=np.int64)
    positions = len(automaton.classes_P)
    alive = np.empty(2 * positions, dtype=np.int32)
    marks = np.zeros(positions, dtype=np.int64)
    step = 0
    for line in range(len(firsts_L)):
        first, past, seen = firsts_L[line], pasts_L[line], seen_L[line]
        if not 0 < past - first <= longest:
            continue
        symbol = automaton.symbols[units[first]]
        count, pair = 0, 0
        for wide in range(len(automaton.wide_W)):
            missing = automaton.needs_W[wide] & ~seen
            if not missing and automaton.takes_SC[symbol, automaton.classes_P[automaton.wide_W[wide]]]:
                alive[count] = automaton.wide_W[wide]
                count += 1
        if past - first == 1:
            for place in range(automaton.start_offsets[symbol], automaton.start_offsets[symbol + 1]):
                alive[count] = automaton.starts[place]
                count += 1
        else:
            # Two characters exclude nearly all lines.
            pair = automaton.pairs_SS[symbol, automaton.symbols[units[first + 1]]]
        if count or pair:
            groups_L[line] = _follow(units[first + 1 : past], alive, count, pair, marks, step, automaton)
            step += past - first
    return groups_L


@numba.njit(cache=True, nogil=True)
def _follow(
    units: np.ndarray, alive: np.ndarray, count: int, pair: int, marks: np.ndarray, step: int, automaton: LineAutomaton
) -> int:
    """The groups, as bits, of the expressions that take a line, of which `units` are all code units but the first.

    The first `count` of `alive` are the positions the line has reached with its first unit, without those that `pair`, if it
    is not 0, adds with the second. The halves of `alive` (2 P,) hold in turn the positions before and after a unit. `marks` (P,)
    holds the last step at which a position was reached, so that each is reached once per step; all marks are at most `step`, and
    a line takes `len(units)` steps.
    """
    now, following = 0, len(alive) // 2
    for index in range(len(units)):
        symbol = automaton.symbols[units[index]]
        step += 1
        kept = 0
        for place in range(now, now + count):
            position = alive[place]
            for edge in range(automaton.follow_offsets[position], automaton.follow_offsets[position + 1]):
                reached = automaton.follow_F[edge]
                if automaton.takes_SC[symbol, automaton.follow_classes_F[edge]] and marks[reached] != step:
                    marks[reached] = step
                    alive[following + kept] = reached
                    kept += 1
        if index == 0 and pair:
            for place in range(automaton.pair_offsets[pair], automaton.pair_offsets[pair + 1]):
                reached = automaton.seconds[place]
                if marks[reached] != step:
                    marks[reached] = step
                    alive[following + kept] = reached
                    kept += 1
        now, following, count = following, now, kept
        if count == 0:
            break
    groups = 0
    for place in range(now, now + count):
        groups |= automaton.groups_P[alive[place]]
    return groups
