"""The lines of a batch of texts as records, read in one compiled pass, and the edits that remove lines and white space.

Shapes: T texts, L lines of all texts in order.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.text.utf16 import batch_units, is_second_half

# What a character may be to cleaning, as bits. The first `MOST_ASKED` bits are the classes that the automaton of navigation asks
# for; the last bit marks characters that are counted one by one.
MOST_ASKED = 48
MENDABLE, SPACE, ORNAMENT, BEFORE_MARK, HEADING, KANA_OR_KANJI, COUNTED = (1 << bit for bit in range(MOST_ASKED, MOST_ASKED + 7))
KEPT = 0  # the kind of a line that is not removed
_LINE_FEED = ord("\n")

# Records instead of numbered columns: compiled code is cached by the types of its arguments, and fields are part of the type.
LINE = np.dtype(
    [
        ("text", np.int64),  # the number of its text
        ("point", np.int64),  # where it starts and ends, in code points of the text
        ("past_point", np.int64),
        ("start", np.int64),  # the same, in code units of the batch
        ("end", np.int64),
        ("head", np.int64),  # the same, without white space at the ends
        ("tail", np.int64),
        ("bare_start", np.int64),  # the same, without ornaments at the ends
        ("bare_end", np.int64),
        ("seen", np.int64),  # the bits of all its characters
    ]
)
TEXT = np.dtype(
    [
        ("first_line", np.int64),
        ("western", np.int64, 2),  # commas and full stops after a Japanese word
        ("japanese", np.int64, 2),  # the same, counted only if there are Western ones
        ("signs", np.int64),  # lines that end in # or ¶ after a Japanese word
    ]
)


class Meanings(NamedTuple):
    """The bits of each code unit, in two steps: a table of 65,536 int64 would not fit into the first-level cache."""

    classes: np.ndarray  # uint8 of shape (65536,)
    bits: np.ndarray  # int64: the bits of each class


class Lines(NamedTuple):
    """The lines of T texts."""

    units: np.ndarray  # uint16, of `batch_units`
    table_L: np.ndarray  # LINE
    texts_T: np.ndarray  # TEXT, of shape (T + 1,): the lines of a text end where those of the next entry begin


def meanings_of(members: Sequence[tuple[int, np.ndarray]]) -> Meanings:
    """The meanings from pairs of a bit and the code units that have it, bool of shape (65536,)."""
    bits = np.zeros(len(members[0][1]), dtype=np.int64)
    for bit, table in members:
        bits[table] |= bit
    values, classes = np.unique(bits, return_inverse=True)
    return Meanings(classes.astype(np.uint8), values)


def read_lines(texts: Sequence[str], meanings: Meanings) -> Lines:
    """The lines of `texts`, separated by line feeds."""
    units, bounds = batch_units(texts)
    line_feeds = np.flatnonzero(units == _LINE_FEED)
    lines = Lines(units, np.empty(len(line_feeds) - 1, dtype=LINE), np.zeros(len(texts) + 1, dtype=TEXT))
    _read(lines, bounds, line_feeds, meanings)
    return lines


def places_of(lines: Lines, chosen: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """For each of the `chosen` lines, by number: the number of its text, its start and its end in code points."""
    return zip(*(lines.table_L[field][chosen].tolist() for field in ("text", "point", "past_point")), strict=True)


@njit(nogil=True)
def _read(lines: Lines, bounds: np.ndarray, line_feeds: np.ndarray, meanings: Meanings) -> None:
    units, classes, bits = lines.units, meanings.classes, meanings.bits
    text, point = 0, 0
    for number in range(len(line_feeds) - 1):
        start, end = line_feeds[number] + 1, line_feeds[number + 1]
        if start == bounds[text + 1]:
            text += 1
            point = 0
            lines.texts_T[text].first_line = number
        line, of_text = lines.table_L[number], lines.texts_T[text]
        seen = 0
        for index in range(start, end):
            seen |= bits[classes[units[index]]]
        line.text, line.start, line.end, line.seen = text, start, end, seen
        line.head, line.tail = _without(units, meanings, start, end, SPACE)
        line.bare_start, line.bare_end = _without(units, meanings, start, end, ORNAMENT)
        line.point = point
        point += end - start
        # Few lines have such characters, so that the loop above has no branch.
        if seen & COUNTED:
            for index in range(start, end):
                point -= is_second_half(units, index)
                if units[index] == ord("，") or units[index] == ord("．"):
                    of_text.western[int(units[index] == ord("．"))] += _is_after_word(units, meanings, index)
        line.past_point = point
        point += 1
        last = units[line.tail - 1]
        if (last == ord("#") or last == ord("¶")) and bits[classes[units[line.tail - 2]]] & HEADING:
            of_text.signs += 1
    lines.texts_T[len(bounds) - 1].first_line = len(line_feeds) - 1
    for text in range(len(bounds) - 1):
        of_text = lines.texts_T[text]
        if of_text.western[0] or of_text.western[1]:
            for index in range(bounds[text], bounds[text + 1]):
                if units[index] == ord("、") or units[index] == ord("。"):
                    of_text.japanese[int(units[index] == ord("。"))] += _is_after_word(units, meanings, index)


@njit(nogil=True)
def _is_after_word(units: np.ndarray, meanings: Meanings, index: int) -> bool:
    """Whether a Japanese character precedes `index`, or a kanji of two units, from U+20000 to U+3FFFF."""
    is_pair = 0xDC00 <= units[index - 1] <= 0xDFFF and 0xD840 <= units[index - 2] <= 0xD8BF
    return is_pair or meanings.bits[meanings.classes[units[index - 1]]] & BEFORE_MARK != 0


@njit(nogil=True)
def _without(units: np.ndarray, meanings: Meanings, start: int, end: int, bit: int) -> tuple[int, int]:
    """Where a line begins and ends without the characters at its ends that have `bit`."""
    while start < end and meanings.bits[meanings.classes[units[end - 1]]] & bit:
        end -= 1
    while start < end and meanings.bits[meanings.classes[units[start]]] & bit:
        start += 1
    return start, end


@njit(nogil=True)
def lines_left(lines: Lines, kinds_L: np.ndarray, text: int, left: np.ndarray) -> int:
    """How many lines of a text are neither blank nor removed; their numbers are written to `left`."""
    count = 0
    for line in range(lines.texts_T[text].first_line, lines.texts_T[text + 1].first_line):
        if kinds_L[line] == KEPT and lines.table_L[line].tail > lines.table_L[line].head:
            left[count] = line
            count += 1
    return count


@njit(nogil=True)
def remove_superfluous_blanks(lines: Lines, kinds_L: np.ndarray, kind: int, is_page_T: np.ndarray) -> None:
    """Give `kind` to the blank lines of pages that are of no use: those at the start or end of the text, and all but the first of
    those between two lines that stay, if a line between them goes. Blank lines where none goes, as in program code, stay.
    """
    for text in range(len(lines.texts_T) - 1):
        if not is_page_T[text]:
            continue
        first, past = lines.texts_T[text].first_line, lines.texts_T[text + 1].first_line
        after = first  # the line after the last one that stays and is not blank
        for line in range(first, past + 1):
            is_end = line == past
            if not is_end and (kinds_L[line] != KEPT or lines.table_L[line].tail == lines.table_L[line].head):
                continue
            goes, stays = False, after > first and not is_end
            for between in range(after, line):
                goes |= kinds_L[between] != KEPT
            for blank in range(after, line):
                if kinds_L[blank] == KEPT:
                    if stays:
                        stays = not goes
                    else:
                        kinds_L[blank] = kind
            after = line + 1


@njit(nogil=True)
def removals(lines: Lines, kinds_L: np.ndarray, white_space: int, is_page_T: np.ndarray) -> np.ndarray:
    """Deletions of the lines that have a kind, each with one line feed, and in pages of white space at the ends of the others.

    Neighbouring lines of one kind are one deletion. `white_space` is the kind of deletions of white space, or KEPT to leave it.
    Returns rows of text, start and end (in code points of the text) and kind: int64 of shape (deletions, 4).
    """
    found = np.empty((len(lines.table_L), 4), dtype=np.int64)
    count = 0
    for text in range(len(lines.texts_T) - 1):
        past_line = lines.texts_T[text + 1].first_line
        last_kept = past_line - 1
        while last_kept >= lines.texts_T[text].first_line and kinds_L[last_kept] != KEPT:
            last_kept -= 1
        first_of_text = count
        for line in range(lines.texts_T[text].first_line, past_line):
            start, past = lines.table_L[line].point, lines.table_L[line].past_point
            kind = kinds_L[line]
            if kind == KEPT:
                if lines.table_L[line].tail == lines.table_L[line].end or white_space == KEPT or not is_page_T[text]:
                    continue
                # A character of white space is one code unit.
                start, kind = past - (lines.table_L[line].end - lines.table_L[line].tail), white_space
            elif line < last_kept:
                past += 1
            else:
                # Lines after the last kept one are deleted with the line feed before them, others with the one after them.
                start = max(start - 1, 0)
                if start == past:
                    continue
            joins = (
                kinds_L[line] != KEPT and count > first_of_text and found[count - 1, 2] == start and found[count - 1, 3] == kind
            )
            if joins:
                found[count - 1, 2] = past
            else:
                found[count, 0], found[count, 1], found[count, 2], found[count, 3] = text, start, past, kind
                count += 1
    return found[:count]
