"""Lines at the top of a page that the text says again further down: a doubled title, and the list of contents.

Templates print a title or teaser above the article that opens with it, and generators put the headings of a page in front of
it. What goes here stands in the text a second time, so nothing is lost but the repetition; the label of a list that extraction
has left without its entries goes as well. On Japanese pages the list is of headings, so program code, whose lines repeat too,
is told from it by its lack of kana and kanji, its indentation, and its repeating line after line.
"""

import itertools
import re
from collections.abc import Sequence

from pipeline.clean_navigation import HEAD_LINES

# Title, byline, date, teaser and a box or two stand before a list of contents; in the pages read for this rule up to 7 lines.
_CONTENTS_BEGIN = 10
# Two headings that come again may be a refrain.
_SHORTEST_CONTENTS = 3
# The longest in the pages read had 75 lines; the bound keeps the search short on any text.
_LONGEST_CONTENTS = 500
# Enumerations of an author whose items come again as headings had up to 5 in the pages read. So a list that short counts only
# where no author begins one: at the top, below the title, below a label.
_LONGEST_ENUMERATION = 5
# The longest headings of the pages read had some 60 characters.
_LONGEST_HEADING = 100
# Between headings there is text. In lists of contents up to a third of the headings were followed at once by a subheading; in
# repeated tables and outputs nearly all lines follow one another.
_MOST_WITHOUT_TEXT = 1 / 3
_LABEL = re.compile("[■●◆【\\[]?(?:目 ?次|もくじ|Contents|Table of [Cc]ontents|TOC)[】\\]]?[:：]?")
_KANA_OR_KANJI = re.compile("[\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff]")
_SENTENCE_ENDS = tuple("。．！？!?.:：")


def repeated_lines(lines: Sequence[str]) -> list[int]:
    """Indices of the `lines` that are repeated below, in order; `lines` hold no blank ones."""
    if len(set(lines)) == len(lines) and not any(map(_LABEL.fullmatch, lines[:HEAD_LINES])):
        return []
    return sorted({*_doubled(lines), *_contents(lines)})


def _doubled(lines: Sequence[str]) -> list[int]:
    """The first of two equal neighbours that begin in the head of the page: titles above titles, teasers above paragraphs."""
    doubled = []
    lines_of_text = 0
    for index, (line, following) in enumerate(itertools.pairwise(lines)):
        if lines_of_text == HEAD_LINES:
            break
        if line == following and _KANA_OR_KANJI.search(line):
            doubled.append(index)
        else:
            lines_of_text += 1
    return doubled


def _contents(lines: Sequence[str]) -> list[int]:
    """The first list of contents with its label, or a label in the head of the page before a sentence."""
    last_index = {line: index for index, line in enumerate(lines)}
    for start in range(min(_CONTENTS_BEGIN, len(lines))):
        label = [start - 1] if start and _LABEL.fullmatch(lines[start - 1]) else []
        past = start
        while past < min(len(lines), start + _LONGEST_CONTENTS) and _is_heading(lines[past]) and last_index[lines[past]] > past:
            past += 1
        follows_text = not label and (start > 1 or (start == 1 and lines[0].endswith(_SENTENCE_ENDS)))
        shortest = _LONGEST_ENUMERATION + 1 if follows_text else _SHORTEST_CONTENTS
        if past - start >= shortest:
            count = _count_contents(lines, start, past)
            if count >= shortest:
                return [*label, *range(start, start + count)]
        if label and start <= HEAD_LINES and lines[start].endswith(_SENTENCE_ENDS):
            return label
    return []


def _count_contents(lines: Sequence[str], start: int, past: int) -> int:
    """How many of `lines[start:past]` come again below `past` in the same order; 0 when they do not do so as headings do."""
    again: list[int] = []
    position = past - 1
    for line in lines[start:past]:
        try:
            position = lines.index(line, position + 1)
        except ValueError:
            break
        again.append(position)
    without_text = sum(position - before == 1 for before, position in itertools.pairwise(again))
    japanese = sum(_KANA_OR_KANJI.search(line) is not None for line in lines[start : start + len(again)])
    are_headings = without_text <= _MOST_WITHOUT_TEXT * (len(again) - 1) and japanese >= len(again) / 2
    return len(again) if are_headings else 0


def _is_heading(line: str) -> bool:
    return len(line) <= _LONGEST_HEADING and not line[0].isspace() and not line.endswith(("。", "．"))
