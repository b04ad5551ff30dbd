"""Lines of a page's furniture that extraction leaves among the text: share buttons, page links, notices, dates and tags.

A line goes only when all of it matches a row of `lists/navigation_lines.txt`, whose head says what belongs there.
"""

import functools
import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import ahocorasick_rs

# A date alone heads an entry of a diary or of a change log, so rows under `[head: …]` hold only near the top of the page:
# the title, a subtitle and one line more.
HEAD_LINES = 3
# Longer than the longest notice that the rows take; a paragraph is not worth matching.
_LONGEST_LINE = 300
# What list items, links and buttons wear at their ends, beside white space.
_ORNAMENTS = " \t\xa0\u3000•・●■▶►▼▲»›→↑↗※×*"

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
# Between the links of a row and at its ends; of white space what pages have there.
_EDGES = " \t\u3000|/・<>＜＞«»‹›←→[]（）()"
_MACROS = {"{service}": _SERVICE, "{shop}": _SHOP, "{date}": _DATE, "{page}": _PAGE}


class Section(NamedTuple):
    """Rows of the list under one head."""

    name: str
    words: tuple[str, ...]  # a line without any of them matches no row; empty for a section of the head of the page
    rows: tuple[str, ...]


@functools.cache
def navigation_sections() -> tuple[Section, ...]:
    """The bundled list, with macros expanded."""
    text = resources.files("pipeline.lists").joinpath("navigation_lines.txt").read_text(encoding="utf-8")
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


class _Matcher(NamedTuple):
    words: ahocorasick_rs.BytesAhoCorasick  # in UTF-8: on str the library spends most of its time on counting characters
    patterns: list[re.Pattern[str]]  # of each word of `words`
    head: re.Pattern[str]


@functools.cache
def _matcher() -> _Matcher:
    sections = navigation_sections()
    rows = {section.name: re.compile("|".join(section.rows)) for section in sections if section.words}
    words = [(word, rows[section.name]) for section in sections for word in section.words]
    head = re.compile("|".join(row for section in sections if not section.words for row in section.rows))
    encoded = [word.encode("utf-8") for word, _ in words]
    finder = ahocorasick_rs.BytesAhoCorasick(encoded, implementation=ahocorasick_rs.Implementation.DFA)
    return _Matcher(finder, [pattern for _, pattern in words], head)


def navigation_lines(lines: Sequence[str]) -> list[int]:
    """Indices of the `lines` that are furniture, in order.

    Rows of the head of the page hold for a line that at most `HEAD_LINES - 1` lines of text precede, furniture not counted.
    """
    matcher = _matcher()
    # The rows see plain spaces for those that never break, so the words do.
    text = "\n".join(lines).replace("\xa0", " ").encode("utf-8", "surrogatepass")
    found: set[int] = set()
    index = past = 0  # line `index` holds the byte `past`
    tried: list[re.Pattern[str]] = []  # on this line
    for word, position, _ in matcher.words.find_matches_as_indexes(text, overlapping=True):
        if position > past:
            line_feeds = text.count(b"\n", past, position)
            past = position
            if line_feeds:
                index += line_feeds
                tried = []
        pattern = matcher.patterns[word]
        if len(lines[index]) <= _LONGEST_LINE and pattern not in tried:
            tried.append(pattern)
            if pattern.fullmatch(_bare(lines[index])):
                found.add(index)
    lines_of_text = 0
    for index, line in enumerate(lines):
        if lines_of_text == HEAD_LINES:
            break
        if index not in found and line.strip():
            if len(line) <= _LONGEST_LINE and matcher.head.fullmatch(_bare(line)):
                found.add(index)
            else:
                lines_of_text += 1
    return sorted(found)


def _bare(line: str) -> str:
    return line.strip(_ORNAMENTS).replace("\xa0", " ")
