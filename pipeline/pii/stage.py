"""Personal data: e-mail and IP addresses, telephone numbers, postal codes and addresses, identity, card and account numbers.

The table of kinds is in `kinds`. As the manifest says, all data is masked, only personal data is masked, or a document with any
is dropped. Not looked for are names of persons, whose recognition costs more than all other stages, and licence, passport and
pension numbers, which only context can distinguish from other numbers.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from pipeline.pii.config import PiiConfig
from pipeline.pii.context import BUSINESS_REACH
from pipeline.pii.kinds import KINDS
from pipeline.pii.patterns import lines_with_numbers
from pipeline.pii.screen import screen
from pipeline.pii.shadow import shadow
from pipeline.text.edits import Edit, apply, original_spans
from pipeline.text.invisible import character_edits
from pipeline.text.utf16 import runs_of


def find_personal_data(text: str, config: PiiConfig) -> list[Edit]:
    """The spans of personal data in `text`, each with its mask: ordered, without overlaps, of the kinds of the table.

    A span begins and ends with a digit or letter of the match (and the combining marks on the last one) and is within one line.
    Invisible characters are ignored, since cleaning removes them; a line ends at U+2028 as at a line feed. With
    `mask_personal_only`, public business data gets no edit; with the other policies it does.
    """
    removed = character_edits(text, kana=False, line_ends=True)
    if not removed:
        return _find(text, config)
    return original_spans(_find(apply(text, removed), config), removed)


def find_personal_data_batch(texts: Sequence[str], config: PiiConfig) -> list[list[Edit]]:
    """`find_personal_data` of each text; only the lines that pass the screen are searched, with the lines just above them."""
    found: list[list[Edit]] = []
    hidden: dict[int, list[Edit]] = {}
    for run in runs_of(texts):
        found_in_run, hides = _find_screened(texts[run], config)
        found += found_in_run
        hidden |= {run.start + index: character_edits(texts[run.start + index], kana=False, line_ends=True) for index in hides}
    # Without their invisible characters these texts can be screened as well; a joiner that is spelling stays.
    seen = [apply(texts[index], removed) for index, removed in hidden.items()]
    found_in_seen, still_hides = _find_screened(seen, config)
    for index in still_hides:
        found_in_seen[index] = _find(seen[index], config)
    for (index, removed), edits in zip(hidden.items(), found_in_seen, strict=True):
        found[index] = original_spans(edits, removed)
    return found


def _find_screened(texts: Sequence[str], config: PiiConfig) -> tuple[list[list[Edit]], list[int]]:
    """The spans in the lines of `texts` that pass the screen, and the numbers of the texts that it could not read."""
    screened = screen(texts)
    stretches: dict[int, list[tuple[int, int]]] = {}
    for index, first, past in screened.lines.tolist():
        # Only words for firms are looked for beyond the line. A line is never cut, since the rest of it could look like a number.
        start = texts[index].rfind("\n", 0, max(first - BUSINESS_REACH, 0)) + 1
        of_text = stretches.setdefault(index, [])
        if of_text and start <= of_text[-1][1]:
            start = of_text.pop()[0]
        of_text.append((start, past))
    found: list[list[Edit]] = [[] for _ in texts]
    hides = np.flatnonzero(screened.hides).tolist()
    for index in stretches.keys() - hides:
        for start, past in stretches[index]:
            of_stretch = _find(texts[index][start:past], config)
            found[index] += (edit._replace(start=edit.start + start, end=edit.end + start) for edit in of_stretch)
    return found, hides


# Replaces what was found while the rest of the text is searched. No label reaches over it, as none reaches over a mask.
_TAKEN = "［"
# Each round finds what the masks of the one before have set free: digits next to digits are not a number until their neighbours
# are gone. The texts written for the tests need 3 rounds; the bound keeps the time linear on any text.
_MOST_ROUNDS = 8


def _find(text: str, config: PiiConfig) -> list[Edit]:
    searched = shadow(text)
    numbers = lines_with_numbers(searched)
    kinds = [kind for kind in KINDS if kind.name in config.kinds and (numbers or not kind.is_number)]
    edits: list[Edit] = []
    for _ in range(_MOST_ROUNDS):
        found = False
        for kind in kinds:
            for shape in kind.shapes:
                # Lines with numbers are a small part of most texts, and no pattern of a number crosses a line.
                if kind.is_number and not (shape.may_match(numbers) and shape.pattern.search(numbers)):
                    continue
                matches = list(shape.matches(searched))
                for match in matches:
                    found = True
                    start, end = match.span("value")
                    while end < len(text) and unicodedata.category(text[end]).startswith("M"):
                        end += 1
                    if config.policy != "mask_personal_only" or not kind.is_business(match):
                        edits.append(Edit(start, end, kind.name, kind.mask))
                if matches:
                    searched = _without(searched, matches)
                    numbers = lines_with_numbers(searched)
        if not found:
            break
    return sorted(edits)


def _without(searched: str, matches: list[re.Match[str]]) -> str:
    """The shadow with the values of `matches`, which must be in order, overwritten."""
    pieces = []
    position = 0
    for match in matches:
        start, end = match.span("value")
        pieces += [searched[position:start], _TAKEN * (end - start)]
        position = end
    return "".join([*pieces, searched[position:]])
