"""Lines of navigation that extraction leaves in the text: share buttons, page links, notices, dates and tags.

A line is removed only if all of it matches a row of `navigation_lines.txt`, whose head says what belongs there. A compiled pass
over all lines of a batch (`line_automaton`) finds those that could match; only these are matched.
"""

import functools
import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np

from pipeline.clean.code import INDENTED
from pipeline.clean.line_automaton import LineAutomaton, groups_that_may_take, line_automaton
from pipeline.clean.line_expressions import Ranges
from pipeline.clean.lines import KEPT, MOST_ASKED, Lines, places_of
from pipeline.compiled import njit

# A date alone on a line heads an entry of a diary or of a change log, so rows under `[head: …]` apply only near the top of the
# page: to the title, a subtitle and one more line.
HEAD_LINES = 3
# In characters. Longer than the longest notice that the rows take; a paragraph is not worth matching.
_LONGEST_LINE = 300
# What list items, links and buttons have at their ends, and white space.
ORNAMENTS = " \t\xa0\u3000•・●■▶►▼▲»›→↑↗※×*"

_SERVICE = (
    "(Facebook|Twitter|X|LINE|LinkedIn|Instagram|Pinterest|Pocket|Tumblr|Reddit|Threads|Bluesky|Mastodon|YouTube|RSS"
    "|[Ff]eedly|twitter|facebook|Google\\+|google plus|はてブ|はてなブックマーク|はてな|メール|E?-?[Mm]ail"
    "|コピー|(URL|リンク)をコピー|Copy link|ツイート|シェア|Share|Tweet)"
)
_SHOP = "(Amazon(\\.co\\.jp)?|楽天(ブックス|市場)?|Yahoo!?ショッピング|Kindle|7net)"
_WESTERN_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\\.?"
_DATE = (
    "([0-9０-９]{4} ?[-/.年．／] ?[0-9０-９]{1,2} ?[-/.月．／] ?[0-9０-９]{1,2} ?日?"
    f"|{_WESTERN_MONTH} [0-9]{{1,2}}(st|nd|rd|th)?,? [0-9]{{4}}|[0-9]{{1,2}} {_WESTERN_MONTH},? [0-9]{{4}})"
    "( ?[（(]([日月火水木金土]|(Sun|Mon|Tue|Wed|Thu|Fri|Sat)[a-z]{0,6})[)）])?"
    "([ T,] ?[0-9]{1,2}[:時][0-9]{2}([:分]([0-9]{2})?秒?)?)?"
)
_PAGE = (
    "((前|次)(の(ページ|記事|投稿|エントリー?|日記|章|節))?(へ|を見る)?|最初へ?|最後へ?|先頭へ?|末尾へ?|戻る|もどる|進む|上に戻る|目次へ?|索引"
    "|ホーム|トップ|最新|一覧へ?|編集|Prev(ious)?|PREV|Next|NEXT|Home|HOME|Up|Top|TOP|Contents|Index|[0-9]{1,3}|…|\\.{3})"
)
# Names of tags: with commas or slashes between them, of up to three words each; or with spaces, if they are Japanese or begin
# with "#". They hold no particle of a sentence and do not end as verbs do.
_NO_TAG = " \u3000。．\"';{}をがはでの、，,/／|｜:：#＃"
_TAG_END = f"[^{_NO_TAG}]{{0,23}}[^{_NO_TAG}るたすだ]"
_TAG = f"[#＃]?{_TAG_END}( {_TAG_END}){{0,2}}"
_SPACED_TAG = f"([#＃]|[^\u0000-\u007f{_NO_TAG}]){_TAG_END}"
_TAGS = f"({_TAG}([ \u3000]?[、，,/／|｜][ \u3000]?{_TAG}){{0,12}}|{_SPACED_TAG}([ \u3000]{{1,2}}{_SPACED_TAG}){{1,12}})"
# What is between the links of a row and at its ends, including the white space that pages use there.
_EDGES = " \t\u3000|/・<>＜＞«»‹›←→[]（）()"
_MACROS = {"{service}": _SERVICE, "{shop}": _SHOP, "{date}": _DATE, "{page}": _PAGE, "{tags}": _TAGS}


class Section(NamedTuple):
    """The rows of the list under one head."""

    name: str
    words: tuple[str, ...]  # a line without any of them matches no row; empty for a section that applies to the head of the page
    rows: tuple[str, ...]


@functools.cache
def navigation_sections() -> tuple[Section, ...]:
    """The bundled list, with macros expanded."""
    text = resources.files("pipeline.clean").joinpath("navigation_lines.txt").read_text(encoding="utf-8")
    sections: list[Section] = []
    for line in text.splitlines():
        if not line or line == "#" or line.startswith("# "):
            continue
        head = re.fullmatch(r"\[([a-z][a-z :]+)\](.*)", line)
        if head:
            words = (word.replace("{space}", " ") for word in head[2].split(" ") if word)
            expanded = (word.replace("{edge}", edge) for word in words for edge in (_EDGES if "{edge}" in word else " "))
            sections.append(Section(head[1], tuple(expanded), ()))
            continue
        for name, pattern in _MACROS.items():
            line = line.replace(name, pattern)
        sections[-1] = sections[-1]._replace(rows=(*sections[-1].rows, line))
    return tuple(sections)


@functools.cache
def navigation_automaton() -> tuple[LineAutomaton, tuple[Ranges, ...]]:
    """The automaton of the rows: one group per section, then one for all rows that apply to the head of the page."""
    return line_automaton([*(section.rows for section in _worded()), _head_rows()], equal=[("\xa0", " ")], most_asked=MOST_ASKED)


@functools.cache
def _worded() -> list[Section]:
    return [section for section in navigation_sections() if section.words]


def _head_rows() -> list[str]:
    return [row for section in navigation_sections() if not section.words for row in section.rows]


@functools.cache
def _expressions() -> list[tuple[tuple[str, ...], re.Pattern[str]]]:
    """For each group the words, of which a line must contain one, and the rows."""
    rows = [(section.words, section.rows) for section in _worded()]
    return [(words, re.compile("|".join(alternatives))) for words, alternatives in [*rows, (("",), tuple(_head_rows()))]]


def furniture(texts: Sequence[str], lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """Which lines of `texts` are navigation wherever they are, and which only in the head of the page: bool, (L,) each."""
    table_L = lines.table_L
    # A character has up to two code units.
    groups_L = groups_that_may_take(
        lines.units, table_L["bare_start"], table_L["bare_end"], table_L["seen"], 2 * _LONGEST_LINE, navigation_automaton()[0]
    )
    possible = np.flatnonzero(groups_L)
    found: tuple[list[int], list[int]] = [], []
    known: dict[str, tuple[bool, bool]] = {}  # the same buttons are on many pages
    for line, (text, start, past), groups in zip(
        possible.tolist(), places_of(lines, possible), groups_L[possible].tolist(), strict=True
    ):
        written = texts[text][start:past]
        if written not in known:
            known[written] = _match(written, groups) if not written.startswith(INDENTED) else (False, False)
        for matches, lines_found in zip(known[written], found, strict=True):
            if matches:
                lines_found.append(line)
    furniture_L, head_L = np.zeros((2, len(table_L)), dtype=np.bool_)
    furniture_L[found[0]] = head_L[found[1]] = True
    return furniture_L, head_L


def _match(line: str, groups: int) -> tuple[bool, bool]:
    """Whether one of the `groups`, as bits, takes a line wherever it is, and whether the last group, of the head, does."""
    anywhere = in_head = False
    written = line.replace("\xa0", " ")
    bare = written.strip(ORNAMENTS)
    expressions = _expressions()
    while groups and len(line) <= _LONGEST_LINE:
        group = groups.bit_length() - 1
        groups -= 1 << group
        words, rows = expressions[group]
        if rows.fullmatch(bare) and any(map(written.__contains__, words)):
            in_head |= group == len(expressions) - 1
            anywhere |= group < len(expressions) - 1
    return anywhere, in_head


@njit(nogil=True)
def remove_head(lines: Lines, kinds_L: np.ndarray, head_L: np.ndarray, kind: int) -> None:
    """Give `kind` to the lines of `head_L` that fewer than `HEAD_LINES` lines of text precede, not counting removed ones."""
    for text in range(len(lines.texts_T) - 1):
        lines_of_text = 0
        for line in range(lines.texts_T[text].first_line, lines.texts_T[text + 1].first_line):
            if lines_of_text == HEAD_LINES:
                break
            if kinds_L[line] != KEPT or lines.table_L[line].head == lines.table_L[line].tail:
                continue
            if head_L[line]:
                kinds_L[line] = kind
            else:
                lines_of_text += 1
