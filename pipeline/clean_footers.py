"""Footers: the last lines of a page that name rights, services and other pages instead of saying something.

Swallow's footer rule (paper, section on text changes): a line is a footer when keywords make up more than 0.3 of its letters,
looked for in the last 3 lines. The published code looks at 10 and cuts everything after the first footer line, so a closing
paragraph that follows a link such as 記事一覧へ goes with it. Here a cut must reach the end of the text and stops at a sentence.
The keywords are the project's own, `lists/footer_keywords.txt`.
"""

import functools
import re
from collections.abc import Sequence
from importlib import resources

import ahocorasick_rs

# Between and below a footer's lines stand labels without a keyword: a company's name, a month, a button. In the pages read for
# this rule those had up to 15 characters. The items of a closing list look alike, so a line with a bullet is never a label.
_LONGEST_LABEL = 15
_BULLETS = "•・●■*-"
_FULL_STOP = re.compile("[。．]")
_LETTERS_MEET = re.compile("[a-z]{2}")
# Names of holders can be long, so that the keywords of such a line make up little of it. (c) alone may number an item.
_RIGHTS = re.compile(r"(?:copyright|©|[(（]c[)）] ?[12][0-9]{3})", re.IGNORECASE)


@functools.cache
def _keywords() -> ahocorasick_rs.AhoCorasick:
    text = resources.files("pipeline.lists").joinpath("footer_keywords.txt").read_text(encoding="utf-8")
    words = {line for line in text.splitlines() if line and not line.startswith("# ")}
    return ahocorasick_rs.AhoCorasick(sorted(words), matchkind=ahocorasick_rs.MatchKind.LeftmostLongest)


def keyword_share(line: str) -> float:
    """Share of the characters of `line`, white space at its ends aside, that belong to footer keywords; 0 for none.

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
    """Index of the first line of the footer of `lines`, or their number when there is none.

    `lines` hold no blank ones. The footer lies in the last `window` lines, begins with a line whose keyword share exceeds
    `share` or that starts with a copyright mark, and holds neither a sentence with its full stop nor another line that is
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
