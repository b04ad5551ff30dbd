"""Footers: the last lines of a page that name rights, services and other pages instead of saying something.

Swallow's footer rule (paper, section on text changes): of the last 3 lines, one is a footer if keywords make up more than 0.3 of
its letters. The published code looks at 10 lines and cuts everything after the first footer line, and so removes a closing
paragraph that follows a link such as 記事一覧へ. Here a cut must reach the end of the text and stops at a sentence. The keywords
are the project's own, `footer_keywords.txt`.
"""

import functools
import re
from collections.abc import Sequence
from importlib import resources

import ahocorasick_rs
import numba
import numpy as np

from pipeline.clean.lines import KEPT, Lines
from pipeline.text.utf16 import UNITS, is_second_half
from pipeline.text.word_automaton import Automaton, automaton_of

# Between and below the lines of a footer there are labels without a keyword: the name of a company, a month, a button. In the
# pages read for this rule they had up to 15 characters. The items of a closing list look alike, so a line with a bullet is
# never a label.
_LONGEST_LABEL = 15
_BULLETS = "•・●■*-"
_BULLET_UNITS = tuple(map(ord, _BULLETS))
_FULL_STOP = re.compile("[。．]")
_LETTERS_MEET = re.compile("[a-z]{2}")
# Names of holders can be long, so keywords may be a small part of such a line. (c) alone may number an item.
_RIGHTS = re.compile(r"(?:copyright|©|[(（]c[)）] ?[12][0-9]{3})", re.IGNORECASE)
# How a match of `_RIGHTS` may begin without being a keyword; if case is ignored, ı equals i.
_MARKS_OF_RIGHTS = ("（c）", "（c)", "(c）", "copyrıght")


@functools.cache
def footer_keywords() -> tuple[str, ...]:
    """The bundled list, in lower case and sorted."""
    text = resources.files("pipeline.clean").joinpath("footer_keywords.txt").read_text(encoding="utf-8")
    return tuple(sorted({line for line in text.splitlines() if line and not line.startswith("# ")}))


@functools.cache
def _keywords() -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(footer_keywords(), matchkind=ahocorasick_rs.MatchKind.LeftmostLongest)


@functools.cache
def _screen() -> tuple[Automaton, np.ndarray]:
    """The automaton of all words of which one makes a line a footer, and its symbol for each code unit, in either case."""
    words = (*footer_keywords(), *_MARKS_OF_RIGHTS)
    symbols = {character: number for number, character in enumerate(sorted(set("".join(words))), start=1)}
    # A capital whose lower case has several characters counts as the first of them.
    symbol_of = np.array([symbols.get(chr(unit).lower()[0], 0) for unit in range(UNITS)], dtype=np.uint16)
    return automaton_of([[[symbols[character] for character in word] for word in words]], len(symbols) + 1), symbol_of


def last_lines(lines: Lines, kinds_L: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The last lines of each text that are neither blank nor removed, and which texts may have a footer among them.

    Returns int64 of shape (T, window), numbers of lines in order, padded with -1 at the front, and bool of shape (T,).
    """
    found: tuple[np.ndarray, np.ndarray] = _last_lines(lines, kinds_L, window, *_screen())
    return found


@numba.njit(cache=True, nogil=True)
def _last_lines(
    lines: Lines, kinds_L: np.ndarray, window: int, automaton: Automaton, symbol_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    texts = len(lines.texts_T) - 1
    last_TW = np.full((texts, window), -1, dtype=np.int64)
    may_T = np.zeros(texts, dtype=np.bool_)
    for text in range(texts):
        place = window
        line = lines.texts_T[text + 1].first_line
        while place and line > lines.texts_T[text].first_line:
            line -= 1
            if kinds_L[line] == KEPT and lines.table_L[line].head < lines.table_L[line].tail:
                place -= 1
                last_TW[text, place] = line
        for line in last_TW[text, place:][::-1]:
            first = lines.table_L[line].head
            index = lines.table_L[line].tail - 1  # backwards, since a full stop is usually the last character
            while index >= first and lines.units[index] != ord("。") and lines.units[index] != ord("．"):
                index -= 1
            if index >= first:
                break
            state, characters = 0, 0
            for index in range(first, lines.table_L[line].tail):
                characters += not is_second_half(lines.units, index)
                state = automaton.next_SA[state, symbol_of[lines.units[index]]]
                may_T[text] |= automaton.bits_S[state] != 0
            if may_T[text] or characters > _LONGEST_LABEL or lines.units[first] in _BULLET_UNITS:
                break
    return last_TW, may_T


def keyword_share(line: str) -> float:
    """Share of the characters of `line`, stripped of white space, that belong to footer keywords; 0 for an empty line.

    A keyword that begins or ends within a word of ASCII letters (comment in commentary) does not count.
    """
    bare = line.strip().lower()
    letters = sum(
        end - start
        for _, start, end in _keywords().find_matches_as_indexes(bare)
        if not _LETTERS_MEET.match(bare[max(start - 1, 0) : start + 1]) and not _LETTERS_MEET.match(bare[end - 1 : end + 1])
    )
    return letters / len(bare) if bare else 0.0


def footer_start(lines: Sequence[str], window: int, share: float) -> int:
    """Index of the first line of the footer of `lines`, or their number if there is none.

    `lines` has no blank ones. The footer is within the last `window` lines. It begins with a line whose keyword share exceeds
    `share` or that starts with a copyright mark, and contains neither a sentence with its full stop nor another line that is
    longer than a label.
    """
    start = len(lines)
    for index in range(len(lines) - 1, max(len(lines) - window, 0) - 1, -1):
        line = lines[index].strip()
        if _FULL_STOP.search(line):
            break
        if _RIGHTS.match(line) or keyword_share(line) > share:
            start = index
        elif len(line) > _LONGEST_LABEL or line[0] in _BULLETS:
            break
    return start
