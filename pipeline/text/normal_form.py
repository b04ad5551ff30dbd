r"""The normal form of a text: what is measured, compared and identified, and is not stored.

Rules on paragraphs, lines and letters come from corpora whose extractors write no blank line, and are about what a reader sees. A
stored text is as it came: Markdown has blank lines and indentation, and a page may have U+200B between its letters. So numbers
are taken on the normal form: no invisible characters, kana composed (both exactly as cleaning does it, see `invisible`), lines
that end at "\n", no blank lines, and no white space at the ends of lines.

Texts that are in normal form already, as nearly all pages are, cost one compiled pass.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.compiled import njit
from pipeline.text.character_classes import SPACES
from pipeline.text.edits import apply
from pipeline.text.invisible import IS_CANDIDATE, candidate_edits
from pipeline.text.utf16 import batch_units, runs_of, units_in

_LINE_FEED = ord("\n")
_IS_SPACE = units_in(SPACES)


def normal_forms(texts: Sequence[str], came_as_text: Sequence[bool]) -> list[str]:
    """The normal forms of N texts, in their order.

    came_as_text: whether each text came as text, so that a carriage return or U+2028 ends a line; in a page it is invisible.
    """
    found = list(texts)
    for run in runs_of(texts):
        mends_T, folds_T = _survey(*batch_units(texts[run]), IS_CANDIDATE, _IS_SPACE)
        for index in np.flatnonzero(mends_T | folds_T).tolist():
            text = texts[run.start + index]
            if mends_T[index]:
                text = apply(text, candidate_edits(text, True, True, True if came_as_text[run.start + index] else None))
            found[run.start + index] = one_line_a_paragraph(text)
    return found


def normal_form(text: str, came_as_text: bool) -> str:
    """`normal_forms` of one text."""
    return normal_forms([text], [came_as_text])[0]


def one_line_a_paragraph(text: str) -> str:
    """`text` without blank lines and without white space at the ends of lines.

    Swallow's rules count lines as paragraphs, on texts without blank lines (trafilatura writes none). With blank lines, half of
    the lines of an ordinary page would be repetitions of the empty line.
    """
    lines = (line.rstrip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


@njit(nogil=True)
def _survey(
    units: np.ndarray, bounds: np.ndarray, is_candidate: np.ndarray, is_space: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of T texts (of `batch_units`) may need an edit of characters, and which have white space before a line end: bool (T,)
    each. The line feed around a text counts, so a line end at its start or end is white space before a line end too."""
    mends_T, folds_T = np.zeros(len(bounds) - 1, dtype=np.bool_), np.zeros(len(bounds) - 1, dtype=np.bool_)
    for text in range(len(bounds) - 1):
        mends = folds = False
        for index in range(bounds[text], bounds[text + 1]):
            mends |= is_candidate[units[index]]
            folds |= units[index] == _LINE_FEED and is_space[units[index - 1]]
        mends_T[text], folds_T[text] = mends, folds
    return mends_T, folds_T
