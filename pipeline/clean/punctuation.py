"""Punctuation: the commas and full stops of a document are made uniform, by its own majority (Swallow, `kutoten.py`)."""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.clean.lines import Lines
from pipeline.text.edits import Edit


def may_be_western(lines: Lines, loses_lines_T: Sequence[bool]) -> list[int]:
    """Numbers of the texts that may have more Western commas or full stops than Japanese ones."""
    if not lines.texts_T["western"].any():
        return []
    japanese_T2, western_T2 = lines.texts_T["japanese"][:-1], lines.texts_T["western"][:-1]
    # Marks in removed lines do not count, so any text that loses lines may be one.
    may_T = ((western_T2 > japanese_T2) | ((western_T2 > 0) & np.array(loses_lines_T)[:, None])).any(axis=1)
    return np.flatnonzero(may_T).tolist()


JAPANESE = (
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3005-\u3007\u303b\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
CLOSING = "）)」』】〕］]｝}》〉”’"
_FULL_WIDTH = "Ａ-Ｚａ-ｚ０-９"
MARKS = (("、", "，"), ("。", "．"))


def punctuation_edits(text: str, removals: Sequence[Edit]) -> list[Edit]:
    """Replace Western commas and full stops by Japanese ones, character for character, if most of the document's are Western.

    Commas and full stops are decided separately. Those after kana, kanji or a closing bracket count, outside the spans that
    `removals` delete. Every run is replaced except one after a full-width letter or digit (Swallow) and, since ３．１４ is also
    written 3．14, one between two ASCII letters or digits. A text without kana is not Japanese: Chinese uses both commas, for
    different things.
    """
    edits: list[Edit] = []
    for japanese, western in MARKS:
        if western in text and _KANA.search(text) and _count(western, text, removals) > _count(japanese, text, removals):
            edits += (
                Edit(run.start(), run.end(), "punctuation", japanese * len(run.group()))
                for run in _REPLACEABLE_RUNS[western].finditer(text)
            )
    return sorted(edits)


def _count(mark: str, text: str, removals: Sequence[Edit]) -> int:
    """How often `mark` follows a Japanese word in what `removals` leave of the text."""
    starts = [0, *(edit.end for edit in removals)]
    ends = [*(edit.start for edit in removals), len(text)]
    return sum(len(_AFTER_JAPANESE[mark].findall(text, start, end)) for start, end in zip(starts, ends, strict=True))


# The mark comes first and the look-behind includes it, so that `re` finds the places by a search for a literal.
_AFTER_JAPANESE = {mark: re.compile(f"{mark}(?<=[{JAPANESE}{re.escape(CLOSING)}]{mark})") for pair in MARKS for mark in pair}
_REPLACEABLE_RUNS = {
    mark: re.compile(f"{mark}(?<![{_FULL_WIDTH}{mark}]{mark})(?:(?<![A-Za-z0-9]{mark}){mark}*+|{mark}*+(?![A-Za-z0-9]))")
    for _, mark in MARKS
}
