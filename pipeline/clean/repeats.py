"""Lines at the top of a page that the text repeats further down: a doubled title, and the list of contents.

Templates print a title or teaser above the article that opens with it, and generators list the headings of a page at its top.
A removed line is in the text a second time, so only the repetition is lost; the label of a list whose entries extraction left
out is removed too. On Japanese pages such a list consists of headings. The lines of program code repeat as well, but they have
no kana or kanji, are indented, or repeat one directly after the other.
"""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.clean.lines import KANA_OR_KANJI, KEPT, Lines, lines_left, places_of
from pipeline.clean.navigation import HEAD_LINES
from pipeline.compiled import njit

# Title, byline, date, teaser and a box or two precede a list of contents; in the pages read for this rule up to 7 lines.
_CONTENTS_BEGIN = 10
# Two lines that come again may be a refrain.
_SHORTEST_CONTENTS = 3
# The longest list in the pages read had 75 lines; the bound limits the search on any text.
_LONGEST_CONTENTS = 500
# An author may enumerate items that come again as headings; in the pages read up to 5. So a list that short counts only where
# no author begins an enumeration: at the top, below the title, below a label.
_LONGEST_ENUMERATION = 5
# The longest headings of the pages read had some 60 characters.
_LONGEST_HEADING = 100
# There is text between headings. Up to a third of the headings in lists of contents were directly followed by a subheading; in
# repeated tables and outputs nearly all lines directly follow one another.
_MOST_WITHOUT_TEXT = 1 / 3
_LABEL = re.compile("[■●◆【\\[]?(?:目 ?次|もくじ|Contents|Table of [Cc]ontents|TOC)[】\\]]?[:：]?")
# How a label begins after its sign, and the length of 【Table of contents】：
_LABELS_BEGIN = tuple((ord(first), ord(second)) for first, second in ("目次", "目 ", "もく", "Co", "Ta", "TO"))
_LONGEST_LABEL = 20
_SENTENCE_ENDS = tuple(map(ord, "。．！？!?.:："))


def remove_repeats(texts: Sequence[str], lines: Lines, kinds_L: np.ndarray, kind: int) -> None:
    """Give `kind` to the lines of `texts` that are repeated below, ignoring lines that are blank or have a kind already."""
    label_L = np.zeros(len(kinds_L), dtype=np.bool_)
    possible = _possible_labels(lines, kinds_L)
    for line, (text, start, past) in zip(possible.tolist(), places_of(lines, possible), strict=True):
        label_L[line] = _LABEL.fullmatch(texts[text], start, past) is not None
    _remove_repeats(lines, kinds_L, label_L, kind, HEAD_LINES, KANA_OR_KANJI)


@njit(nogil=True)
def _possible_labels(lines: Lines, kinds_L: np.ndarray) -> np.ndarray:
    """Numbers of the lines that are near enough to the top, as short as a label, and begin like one."""
    found = np.zeros(len(kinds_L), dtype=np.bool_)
    for text in range(len(lines.texts_T) - 1):
        left = 0
        for number in range(lines.texts_T[text].first_line, lines.texts_T[text + 1].first_line):
            line = lines.table_L[number]
            if kinds_L[number] != KEPT or line.head == line.tail:
                continue
            left += 1
            if left == _CONTENTS_BEGIN:
                break
            if 2 <= line.end - line.start <= _LONGEST_LABEL:
                # The sign before the label is optional.
                one, two, three = lines.units[line.start], lines.units[line.start + 1], lines.units[line.start + 2]
                for first, second in _LABELS_BEGIN:
                    found[number] |= (one == first and two == second) or (two == first and three == second)
    return np.flatnonzero(found)


@njit(nogil=True)
def _remove_repeats(
    lines: Lines, kinds_L: np.ndarray, label_L: np.ndarray, kind: int, head_lines: int, kana_or_kanji: int
) -> None:
    left = np.empty(len(kinds_L), dtype=np.int64)
    again = np.empty(_LONGEST_CONTENTS, dtype=np.int64)
    for text in range(len(lines.texts_T) - 1):
        count = lines_left(lines, kinds_L, text, left)
        first, past = _contents(lines, left[:count], label_L, again, head_lines, kana_or_kanji)
        # The first of two equal neighbours in the head of the page: a title above a title, a teaser above a paragraph.
        lines_of_text = 0
        for place in range(count - 1):
            if lines_of_text == head_lines:
                break
            is_japanese = lines.table_L[left[place]].seen & kana_or_kanji != 0
            if is_japanese and _are_equal(lines, left[place], left[place + 1]):
                kinds_L[left[place]] = kind
            else:
                lines_of_text += 1
        for place in range(first, past):
            kinds_L[left[place]] = kind


@njit(nogil=True)
def _contents(
    lines: Lines, left: np.ndarray, label_L: np.ndarray, again: np.ndarray, head_lines: int, kana_or_kanji: int
) -> tuple[int, int]:
    """Where the first list of contents with its label begins and ends, by place in `left`; 0 and 0 if there is none.

    A label in the head of the page that a sentence follows counts as a list without entries.
    """
    past = 0
    for start in range(min(_CONTENTS_BEGIN, len(left))):
        has_label = start > 0 and label_L[left[start - 1]]
        # The line that ends the headings after one start also ends them after the next.
        past = max(past, start)
        while past < min(len(left), start + _LONGEST_CONTENTS) and _comes_again_as_heading(lines, left, past):
            past += 1
        follows_text = not has_label and (start > 1 or (start == 1 and _ends_sentence(lines, left[0])))
        shortest = _LONGEST_ENUMERATION + 1 if follows_text else _SHORTEST_CONTENTS
        if past - start >= shortest:
            count = _count_contents(lines, left, start, past, again, kana_or_kanji)
            if count >= shortest:
                return start - has_label, start + count
        if has_label and start <= head_lines and _ends_sentence(lines, left[start]):
            return start - 1, start
    return 0, 0


@njit(nogil=True)
def _count_contents(lines: Lines, left: np.ndarray, start: int, past: int, again: np.ndarray, kana_or_kanji: int) -> int:
    """How many of the lines from `start` to `past` come again below in their order; 0 unless they do so like headings."""
    count, japanese, without_text = 0, 0, 0
    position = past - 1
    for place in range(start, past):
        position = _next_equal(lines, left, place, position + 1)
        if position == len(left):
            break
        again[count] = position
        without_text += count > 0 and position - again[count - 1] == 1
        japanese += lines.table_L[left[place]].seen & kana_or_kanji != 0
        count += 1
    are_headings = without_text <= _MOST_WITHOUT_TEXT * (count - 1) and japanese >= count / 2
    return count if are_headings else 0


@njit(nogil=True)
def _comes_again_as_heading(lines: Lines, left: np.ndarray, place: int) -> bool:
    line = lines.table_L[left[place]]
    last = lines.units[line.end - 1]
    is_heading = line.start == line.head and line.past_point - line.point <= _LONGEST_HEADING
    return is_heading and last != ord("。") and last != ord("．") and _next_equal(lines, left, place, place + 1) < len(left)


@njit(nogil=True)
def _ends_sentence(lines: Lines, number: int) -> bool:
    last = lines.units[lines.table_L[number].end - 1]
    return last in _SENTENCE_ENDS


@njit(nogil=True)
def _next_equal(lines: Lines, left: np.ndarray, place: int, following: int) -> int:
    """The first place from `following` on that has the same line, or the number of places if there is none."""
    while following < len(left) and not _are_equal(lines, left[place], left[following]):
        following += 1
    return following


@njit(nogil=True)
def _are_equal(lines: Lines, one: int, other: int) -> bool:
    first, second = lines.table_L[one].start, lines.table_L[other].start
    length = lines.table_L[one].end - first
    equal = 0
    if lines.table_L[other].end - second == length:
        while equal < length and lines.units[first + equal] == lines.units[second + equal]:
            equal += 1
    return bool(equal == length)
