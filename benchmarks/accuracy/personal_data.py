"""Personal data: precision and recall of each kind on the labelled strings of `tests/pipeline/pii/cases.tsv`.

A match is right if its kind and its exact text are those of a label. The peer is the matcher of `phonenumbers`, which
most programs use for Japanese telephone numbers, and which finds one kind only.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import phonenumbers

from benchmarks.accuracy.table import Row
from pipeline.pii.config import KIND_NAMES, PiiConfig
from pipeline.pii.stage import find_personal_data
from tests.pipeline.pii.cases import CASES

SUBJECT = "6 personal data"
Match = tuple[str, str]  # kind, text
CONFIG = PiiConfig()


def kotokura(text: str) -> list[Match]:
    """What the stage `pii` finds."""
    return [(edit.kind, text[edit.start : edit.end]) for edit in find_personal_data(text, CONFIG)]


def phonenumbers_alone(text: str) -> list[Match]:
    """The telephone numbers that the library finds on its own."""
    return [("phone", match.raw_string) for match in phonenumbers.PhoneNumberMatcher(text, "JP")]


def figures(find: Callable[[str], list[Match]], kind: str) -> str:
    """Precision and recall of one kind."""
    right = found = labelled = 0
    for text, labels in CASES:
        matches = Counter(match for match in find(text) if match[0] == kind)
        expected = Counter(label for label in labels if label[0] == kind)
        right += (matches & expected).total()
        found += matches.total()
        labelled += expected.total()
    return f"{kind} {right / found:.3f} / {right / labelled:.3f} of {labelled}"


def rows(_shared: Path) -> Iterator[Row]:
    """Precision and recall of each kind. The cases are the project's own, so `_shared` is not read."""
    head = f"{len(CASES)} strings, precision / recall of labels\n"
    yield Row(SUBJECT, "kotokura", head + "\n".join(figures(kotokura, kind) for kind in KIND_NAMES))
    yield Row(SUBJECT, "phonenumbers' matcher alone", figures(phonenumbers_alone, "phone"))
