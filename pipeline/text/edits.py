"""Edits: what cleaning and the masking of personal data change, as spans, without a second copy of the text.

A stage that changes text returns edits against the text *as extracted*; `merge` combines those of several stages, and `apply`
makes the final text.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

EDIT_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),  # in code points of the extracted text
        pa.field("end", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("replacement", pa.string(), nullable=False),
    ]
)


class Edit(NamedTuple):
    """Replace `text[start:end]` (code points, start < end) by `replacement`."""

    start: int
    end: int
    kind: str
    replacement: str


def merge(*groups: Iterable[Edit]) -> list[Edit]:
    """All edits of `groups` in the order of the text, without overlaps.

    If two overlap, the one that starts earlier wins; if both start together, the longer one, then the one of the earlier
    group. The part of the loser after the winner's end is deleted if the loser deletes, and kept otherwise.
    """
    ranked = sorted(
        ((edit, rank) for rank, group in enumerate(groups) for edit in group),
        key=lambda item: (item[0].start, -item[0].end, item[1], item[0].kind, item[0].replacement),
    )
    merged: list[Edit] = []
    for edit, _ in ranked:
        end_of_last = merged[-1].end if merged else 0
        if edit.start >= end_of_last:
            merged.append(edit)
        elif edit.end > end_of_last and not edit.replacement:
            merged.append(edit._replace(start=end_of_last))
    return merged


def apply(text: str, edits: Sequence[Edit]) -> str:
    """`text` with `edits` made; they must be ordered and must not overlap, as `merge` returns them.

    Raises ValueError if they overlap or leave the text.
    """
    pieces = []
    position = 0
    for edit in edits:
        if not position <= edit.start < edit.end <= len(text):
            raise ValueError(f"edit {edit} does not fit after position {position} of a text of {len(text)} characters")
        pieces.append(text[position : edit.start])
        pieces.append(edit.replacement)
        position = edit.end
    pieces.append(text[position:])
    return "".join(pieces)


def original_spans(edits: Iterable[Edit], made: Sequence[Edit]) -> list[Edit]:
    """`edits` against a text to which `made` was applied, as edits against the text before that.

    The spans of `edits` must not begin or end within a replacement of `made`. A deletion of `made` that is inside a span, or
    directly before its end, is part of the returned span.
    """
    positions: list[int] = []  # in the changed text; everything after one is shifted by its entry in `shifts`
    shifts: list[int] = [0]
    for edit in made:
        after = edit.end - shifts[-1] - (edit.end - edit.start) + len(edit.replacement)
        positions.append(after)
        shifts.append(edit.end - after)

    def before(position: int) -> int:
        return position + shifts[bisect_right(positions, position)]

    return [edit._replace(start=before(edit.start), end=before(edit.end)) for edit in edits]
