"""Which lines a step of cleaning removes, for tests of the step by itself."""

from collections.abc import Sequence

from pipeline.clean.config import CleanConfig, Step
from pipeline.clean.stage import find_edits


def removed_lines(lines: Sequence[str], step: Step) -> list[int]:
    """Indices of the `lines` that `step` alone removes whole, in order."""
    edits = find_edits("\n".join(lines), CleanConfig(steps=(step,)), came_as_text=False)
    removed = []
    position = 0
    for index, line in enumerate(lines):
        end = position + len(line)
        if line and any(edit.start <= position and end <= edit.end for edit in edits):
            removed.append(index)
        position = end + 1
    return removed
