"""Cleaning: what is changed in the texts that stay, as edits against the text as extracted.

Removed are invisible characters (`clean_characters`), link signs of headings (`clean_anchors`), lines of navigation
(`clean_navigation`), repetitions at the top (`clean_repeats`), footers (`clean_footers`), white space at the ends of lines and
runs of blank lines. Half-width and decomposed kana are composed, and the punctuation of a
document is made uniform by its own majority. Nothing is normalised beyond that: no NFKC, no width of letters and digits.
A document of which nothing is left is dropped.

Punctuation and footers follow Swallow (paper, section on text changes; public files `kutoten.py`, `footer.py`); the other steps
are the project's own.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from pydantic import Field

from pipeline.clean_anchors import anchor_edits
from pipeline.clean_characters import character_edits, original_spans
from pipeline.clean_footers import footer_start
from pipeline.clean_navigation import navigation_lines
from pipeline.clean_repeats import repeated_lines
from pipeline.configuration import Config
from pipeline.edits import Edit, apply, merge
from pipeline.rules import Rule

Step = Literal["invisible", "kana", "anchor", "navigation", "repeat", "footer", "whitespace", "punctuation"]
STEPS: tuple[Step, ...] = get_args(Step)


class CleanConfig(Config):
    """The `clean` section of the manifest."""

    steps: tuple[Step, ...] = Field(default=STEPS, description="what is done; Swallow does footer and punctuation alone")
    # Swallow's paper looks at 3 lines, its code at 10. Blank lines and lines of navigation do not count here, so 3 reach further
    # than in the paper, and a wrong cut costs little.
    footer_lines: int = Field(default=3, ge=1, description="how many of the last lines may be a footer")
    footer_share: float = Field(default=0.3, ge=0, le=1, description="share of keyword letters above which a line is a footer")


RULES: tuple[Rule, ...] = (
    Rule("empty_after_cleaning", minimum=1, column="n_chars", source="a document without a character teaches nothing"),
)


def rules_of(config: CleanConfig) -> tuple[Rule, ...]:
    """The rules that judge a document after its edits: `n_chars` is the number of characters left."""
    return RULES


def find_edits(text: str, config: CleanConfig) -> list[Edit]:
    """The edits that clean `text`, ordered, without overlaps; their kinds are the names of the steps.

    Cleaning a cleaned text changes nothing, with two exceptions: a footer is looked for at the end of what is left, so of one
    that is longer than `footer_lines` a second run would cut more, and a second run sees repetitions that stood behind others.
    The pipeline runs it once.
    """
    return _find(
        text,
        (
            lambda seen: character_edits(seen, invisible="invisible" in config.steps, kana="kana" in config.steps),
            lambda seen: anchor_edits(seen) if "anchor" in config.steps else [],
            lambda seen: _line_edits(seen, config),
        ),
    )


def _find(text: str, finders: Sequence[Callable[[str], list[Edit]]]) -> list[Edit]:
    """The edits of all `finders`, each of which sees the text as those before it leave it, as edits against `text`."""
    found = finders[0](text)
    if len(finders) == 1:
        return found
    if not found:
        return _find(text, finders[1:])
    # The edits of lines come first, since a line that goes takes the edits of its characters along.
    return merge(original_spans(_find(apply(text, found), finders[1:]), found), found)


def _line_edits(text: str, config: CleanConfig) -> list[Edit]:
    """The edits of whole lines, white space and punctuation; `text` needs no character edits."""
    lines = text.split("\n")
    removed: dict[int, str] = {}
    if "navigation" in config.steps:
        _remove(lines, removed, "navigation", navigation_lines)
    # Navigation is looked for again behind repetitions, which lengthen the head of the page.
    if "repeat" in config.steps and _remove(lines, removed, "repeat", repeated_lines) and "navigation" in config.steps:
        _remove(lines, removed, "navigation", navigation_lines)
    if "footer" in config.steps:
        kept = _last_lines(lines, removed, config.footer_lines)
        start = footer_start([lines[index] for index in kept], config.footer_lines, config.footer_share)
        removed |= dict.fromkeys(kept[start:], "footer")
    if "whitespace" in config.steps and not all(map(str.strip, lines)):
        removed |= dict.fromkeys(_superfluous_blanks(lines, removed), "whitespace")
    strip = "whitespace" in config.steps and list(map(str.rstrip, lines)) != lines
    edits = _removals(lines, removed, strip) if removed or strip else []
    return merge(edits, _punctuation_edits(text, edits)) if "punctuation" in config.steps else edits


def _remove(lines: Sequence[str], removed: dict[int, str], kind: Step, find: Callable[[Sequence[str]], list[int]]) -> bool:
    """Whether `find` finds any among the lines that are neither blank nor removed; those are added to `removed`."""
    if not removed and all(map(str.strip, lines)):
        found = find(lines)
    else:
        left = [index for index, line in enumerate(lines) if index not in removed and line.strip()]
        found = [left[index] for index in find([lines[index] for index in left])]
    removed |= dict.fromkeys(found, kind)
    return bool(found)


def _last_lines(lines: Sequence[str], removed: dict[int, str], count: int) -> list[int]:
    """Indices of the last `count` lines that are neither blank nor removed, in order."""
    last: list[int] = []
    for index in range(len(lines) - 1, -1, -1):
        if len(last) == count:
            break
        if index not in removed and lines[index].strip():
            last.append(index)
    return last[::-1]


def _superfluous_blanks(lines: Sequence[str], removed: dict[int, str]) -> list[int]:
    """Blank lines that a single one, or the start or end of the text, makes superfluous when `removed` lines are gone."""
    superfluous: list[int] = []
    blanks: list[int] = []
    seen_text = False
    for index, line in enumerate(lines):
        if index in removed:
            continue
        if not line or line.isspace():
            blanks.append(index)
        elif blanks:
            superfluous += blanks[1:] if seen_text else blanks
            blanks = []
            seen_text = True
        else:
            seen_text = True
    return superfluous + blanks


def _removals(lines: Sequence[str], removed: dict[int, str], strip: bool) -> list[Edit]:
    """Deletions of the `removed` lines, each with one line feed, and of white space at the ends of the others.

    Neighbouring lines that go for one reason are one edit.
    """
    last_kept = next((index for index in range(len(lines) - 1, -1, -1) if index not in removed), -1)
    edits: list[Edit] = []
    start = 0
    for index, line in enumerate(lines):
        end = start + len(line)
        if index in removed:
            # Lines behind the last one kept take the line feed before them along, the others the one behind them.
            first, past = (start, end + 1) if index < last_kept else (max(start - 1, 0), end)
            if edits and edits[-1].end == first and edits[-1].kind == removed[index] and edits[-1].start < first:
                edits[-1] = edits[-1]._replace(end=past)
            elif first < past:
                edits.append(Edit(first, past, removed[index], ""))
        elif strip and line[-1:].isspace():
            edits.append(Edit(start + len(line.rstrip()), end, "whitespace", ""))
        start = end + 1
    return edits


_JAPANESE = (
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3005-\u3007\u303b\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_CLOSING = "）)」』】〕］\\]｝}》〉”’"
_FULL_WIDTH = "Ａ-Ｚａ-ｚ０-９"
_MARKS = (("、", "，"), ("。", "．"))


def _punctuation_edits(text: str, removals: Sequence[Edit]) -> list[Edit]:
    """Western commas and full stops replaced by Japanese ones, character for character, where most of the document's are Western.

    Commas and full stops are decided apart. Counted are those after kana, kanji or a closing bracket, outside what
    `removals` delete. Replaced is every run but one after a full-width letter or digit (Swallow), and, since ３．１４ is
    also written 3．14, one between two ASCII letters or digits. A text without kana is not Japanese: Chinese has both
    commas, for different things.
    """
    edits: list[Edit] = []
    for japanese, western in _MARKS:
        if western in text and _KANA.search(text) and _count(western, text, removals) > _count(japanese, text, removals):
            edits += (
                Edit(run.start(), run.end(), "punctuation", japanese * len(run.group()))
                for run in _REPLACEABLE_RUNS[western].finditer(text)
            )
    return sorted(edits)


def _count(mark: str, text: str, removals: Sequence[Edit]) -> int:
    """How often `mark` closes Japanese words in what `removals` leave of the text."""
    pattern = _AFTER_JAPANESE[mark]
    removed = sum(len(pattern.findall(text, edit.start, edit.end)) for edit in removals)
    return len(pattern.findall(text)) - removed


# The mark comes first and the look-behind takes it in, so that the search for a literal finds the places.
_AFTER_JAPANESE = {mark: re.compile(f"{mark}(?<=[{_JAPANESE}{_CLOSING}]{mark})") for pair in _MARKS for mark in pair}
_REPLACEABLE_RUNS = {
    mark: re.compile(f"{mark}(?<![{_FULL_WIDTH}{mark}]{mark})(?:(?<![A-Za-z0-9]{mark}){mark}*+|{mark}*+(?![A-Za-z0-9]))")
    for _, mark in _MARKS
}
