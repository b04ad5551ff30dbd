"""Program code in Markdown: between fences and in indented lines nothing is furniture, whatever its words are.

A list of menu entries in an example, a comment with ，, a licence at the end of a listing: code means what it says.
"""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.clean.lines import Lines
from pipeline.text.edits import Edit

# CommonMark 0.31, sections 4.4 and 4.5. Any indentation, as fences may be inside list items and quotations.
INDENTED = ("    ", "\t")
_FENCE = re.compile("^[ \t>]*(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)


def fenced_spans(text: str) -> list[tuple[int, int]]:
    """Start and end, in code points, of each block of fenced code in `text`, fences included, in order.

    A fence that is never closed opens no block: a page may show one by itself, and cleaning goes on below it.
    """
    spans: list[tuple[int, int]] = []
    if "```" not in text and "~~~" not in text:
        return spans
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            opening = fence
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            spans.append((opening.start(), fence.end()))
            opening = None
    return spans


def fenced_lines(texts: Sequence[str], lines: Lines) -> np.ndarray:
    """Which lines of `texts` are in fenced code: bool (L,)."""
    fenced_L = np.zeros(len(lines.table_L), dtype=np.bool_)
    for index, text in enumerate(texts):
        first, past = lines.texts_T["first_line"][index : index + 2]
        for start, end in fenced_spans(text):
            points = lines.table_L["point"][first:past]
            fenced_L[first:past] |= (points >= start) & (points <= end)
    return fenced_L


def outside_code(text: str, edits: list[Edit]) -> list[Edit]:
    """The `edits` of `text` that begin outside fenced code."""
    spans = fenced_spans(text) if edits else []
    return [edit for edit in edits if not any(start <= edit.start < end for start, end in spans)] if spans else edits
