"""Cleaning: what is changed in the texts that stay, as edits against the text as extracted.

Removed are invisible characters (`clean_characters`), link signs of headings (`clean_anchors`), lines of navigation
(`clean_navigation`), repetitions at the top (`clean_repeats`), footers (`clean_footers`), white space at the ends of lines and
runs of blank lines. Half-width and decomposed kana are composed, and the punctuation of a
document is made uniform by its own majority. Nothing is normalised beyond that: no NFKC, no width of letters and digits.
A document of which nothing is left is dropped.

Punctuation and footers follow Swallow (paper, section on text changes; public files `kutoten.py`, `footer.py`); the other steps
are the project's own.
"""

import functools
import re
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from pipeline.clean.anchors import FEWEST_ANCHORS, JAPANESE_HEADING, anchor_edits
from pipeline.clean.footers import footer_start, last_lines
from pipeline.clean.lines import (
    BEFORE_MARK,
    COUNTED,
    HEADING,
    KANA_OR_KANJI,
    KEPT,
    MENDABLE,
    ORNAMENT,
    SPACE,
    Lines,
    Meanings,
    meanings_of,
    places_of,
    read_lines,
    removals,
    remove_superfluous_blanks,
)
from pipeline.clean.navigation import ORNAMENTS, furniture, navigation_automaton, remove_head
from pipeline.clean.repeats import remove_repeats
from pipeline.config import Config
from pipeline.rules import Rule
from pipeline.text.character_classes import SPACES
from pipeline.text.edits import Edit, apply, merge
from pipeline.text.invisible import IS_CANDIDATE, candidate_edits, original_spans
from pipeline.text.utf16 import runs_of, units_in, units_in_bracket, units_of

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
    """`find_edits_batch` of one text."""
    return find_edits_batch([text], config)[0]


def find_edits_batch(texts: Sequence[str], config: CleanConfig) -> list[list[Edit]]:
    """The edits that clean each text, ordered, without overlaps; their kinds are the names of the steps.

    Cleaning a cleaned text changes nothing, with two exceptions: a footer is looked for at the end of what is left, so of one
    that is longer than `footer_lines` a second run would cut more, and a second run sees repetitions that stood behind others.
    The pipeline runs it once.
    """
    found: list[list[Edit]] = []
    changes: dict[int, list[list[Edit]]] = {}
    for run in runs_of(texts):
        lines = read_lines(texts[run], _meanings())
        found += _line_edits(texts[run], lines, config)
        changes |= {run.start + index: made for index, made in _edits_before(texts[run], lines, config).items()}
    # The texts that are to change before their lines are looked at are few; they alone are read once more.
    seen = [functools.reduce(apply, made, texts[index]) for index, made in changes.items()]
    again = _line_edits(seen, read_lines(seen, _meanings()), config) if seen else []
    for (index, made), edits in zip(changes.items(), again, strict=True):
        for earlier in reversed(made):
            # The edits of lines come first, since a line that goes takes the edits of its characters along.
            edits = merge(original_spans(edits, earlier), earlier)
        found[index] = edits
    return found


@functools.cache
def _meanings() -> Meanings:
    """What cleaning asks of each code unit."""
    return meanings_of(
        [
            (MENDABLE, IS_CANDIDATE),
            (SPACE, units_in(SPACES)),
            (ORNAMENT, units_in(ORNAMENTS)),
            (COUNTED, units_in("".join(western for _, western in _MARKS)) | units_in_bracket("\udc00-\udfff")),
            (BEFORE_MARK, units_in_bracket(_JAPANESE) | units_in(_CLOSING)),
            (HEADING, units_in_bracket(JAPANESE_HEADING)),
            (KANA_OR_KANJI, units_in_bracket("\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff")),
            *((1 << bit, units_of(ranges)) for bit, ranges in enumerate(navigation_automaton()[1])),
        ]
    )


def _edits_before(texts: Sequence[str], lines: Lines, config: CleanConfig) -> dict[int, list[list[Edit]]]:
    """The edits of characters and those of anchors in what they leave, of the texts that have any."""
    made: dict[int, list[list[Edit]]] = {}
    # What is mended, and what of its neighbours is looked at, lies in one line.
    mendable = np.flatnonzero(lines.table_L["seen"] & MENDABLE)
    for index, start, past in places_of(lines, mendable):
        of_line = candidate_edits(texts[index][start:past], "invisible" in config.steps, "kana" in config.steps)
        if of_line:
            of_text = made.setdefault(index, [[]])[0]
            of_text += (edit._replace(start=edit.start + start, end=edit.end + start) for edit in of_line)
    if "anchor" in config.steps:
        for index in {*made, *np.flatnonzero(lines.texts_T["signs"][:-1] >= FEWEST_ANCHORS).tolist()}:
            anchors = anchor_edits(functools.reduce(apply, made.get(index, []), texts[index]))
            if anchors:
                made.setdefault(index, []).append(anchors)
    return made


def _line_edits(texts: Sequence[str], lines: Lines, config: CleanConfig) -> list[list[Edit]]:
    """The edits of whole lines, white space and punctuation."""
    kinds_L = np.full(len(lines.table_L), KEPT, dtype=np.int8)
    kind_of = {step: number for number, step in enumerate(STEPS, start=KEPT + 1)}
    head_L = np.zeros(0, dtype=np.bool_)
    if "navigation" in config.steps:
        furniture_L, head_L = furniture(texts, lines)
        kinds_L[furniture_L] = kind_of["navigation"]
        remove_head(lines, kinds_L, head_L, kind_of["navigation"])
    if "repeat" in config.steps:
        remove_repeats(texts, lines, kinds_L, kind_of["repeat"])
        if "navigation" in config.steps:
            # Behind repetitions, which lengthen the head of the page.
            remove_head(lines, kinds_L, head_L, kind_of["navigation"])
    if "footer" in config.steps:
        last_TW, may_T = last_lines(lines, kinds_L, config.footer_lines)
        chosen_FW = last_TW[may_T]
        written = [texts[text][start:past] for text, start, past in places_of(lines, chosen_FW[chosen_FW >= 0])]
        for last in chosen_FW.tolist():
            numbers = last[last.count(-1) :]
            of_text, written = written[: len(numbers)], written[len(numbers) :]
            for number in numbers[footer_start(of_text, config.footer_lines, config.footer_share) :]:
                kinds_L[number] = kind_of["footer"]
    white_space = KEPT
    if "whitespace" in config.steps:
        white_space = kind_of["whitespace"]
        remove_superfluous_blanks(lines, kinds_L, white_space)
    found: list[list[Edit]] = [[] for _ in texts]
    for text, start, end, kind in removals(lines, kinds_L, white_space).tolist():
        found[text].append(Edit(start, end, STEPS[kind - KEPT - 1], ""))
    if "punctuation" in config.steps:
        for text in _may_be_western(lines, [bool(edits) for edits in found]):
            found[text] = merge(found[text], _punctuation_edits(texts[text], found[text]))
    return found


def _may_be_western(lines: Lines, loses_lines_T: Sequence[bool]) -> list[int]:
    """Numbers of the texts that may have more Western commas or full stops than Japanese ones."""
    if not lines.texts_T["western"].any():
        return []
    japanese_T2, western_T2 = lines.texts_T["japanese"][:-1], lines.texts_T["western"][:-1]
    # What is removed takes its marks along.
    may_T = ((western_T2 > japanese_T2) | ((western_T2 > 0) & np.array(loses_lines_T)[:, None])).any(axis=1)
    return np.flatnonzero(may_T).tolist()


_JAPANESE = (
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3005-\u3007\u303b\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_CLOSING = "）)」』】〕］]｝}》〉”’"
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
    starts = [0, *(edit.end for edit in removals)]
    ends = [*(edit.start for edit in removals), len(text)]
    return sum(len(_AFTER_JAPANESE[mark].findall(text, start, end)) for start, end in zip(starts, ends, strict=True))


# The mark comes first and the look-behind takes it in, so that the search for a literal finds the places.
_AFTER_JAPANESE = {mark: re.compile(f"{mark}(?<=[{_JAPANESE}{re.escape(_CLOSING)}]{mark})") for pair in _MARKS for mark in pair}
_REPLACEABLE_RUNS = {
    mark: re.compile(f"{mark}(?<![{_FULL_WIDTH}{mark}]{mark})(?:(?<![A-Za-z0-9]{mark}){mark}*+|{mark}*+(?![A-Za-z0-9]))")
    for _, mark in _MARKS
}
