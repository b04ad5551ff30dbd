"""Cleaning: what is changed in the texts that are kept, as edits against the text as extracted.

Removed are invisible characters (`text/invisible.py`), link signs of headings (`anchors`), lines of navigation (`navigation`),
repetitions at the top (`repeats`) and footers (`footers`). Half-width and decomposed kana are composed (`text/invisible.py`),
and the punctuation of a document is made uniform by its own majority (`punctuation`). Nothing else is normalised: no NFKC, no
width of letters and digits. A document of which nothing is left is dropped.

White space is removed in pages alone: at the ends of lines, and the blank lines that removed lines leave without use. In a text
that came as text, two spaces at the end of a line or a blank line may be meant. There, the line ends of other systems become line
feeds (`text/invisible.py`). Nothing but characters is edited in fenced code (`code`).

Punctuation and footers follow Swallow (paper, section on text changes; public files `kutoten.py`, `footer.py`); the other steps
are the project's own.
"""

import functools
from collections.abc import Sequence

import numpy as np

from pipeline.clean.anchors import FEWEST_ANCHORS, JAPANESE_HEADING, anchor_edits
from pipeline.clean.code import fenced_lines, outside_code
from pipeline.clean.config import STEPS, CleanConfig
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
from pipeline.clean.punctuation import CLOSING, JAPANESE, MARKS, may_be_western, punctuation_edits
from pipeline.clean.repeats import remove_repeats
from pipeline.text.character_classes import SPACES
from pipeline.text.edits import Edit, apply, merge, original_spans
from pipeline.text.invisible import IS_CANDIDATE, candidate_edits
from pipeline.text.utf16 import runs_of, units_in, units_in_bracket, units_of


def find_edits(text: str, config: CleanConfig, came_as_text: bool = False) -> list[Edit]:
    """`find_edits_batch` of one text."""
    return find_edits_batch([text], config, [came_as_text])[0]


def find_edits_batch(texts: Sequence[str], config: CleanConfig, came_as_text: Sequence[bool]) -> list[list[Edit]]:
    """The edits that clean each text, ordered, without overlaps; their kinds are the names of the steps.

    came_as_text: whether each text came as text, and is not what an extractor made of a page.

    Cleaning a cleaned text changes nothing, with two exceptions: of a footer longer than `footer_lines` a second run would cut
    more, and it would see repetitions that the first ones hid. The pipeline cleans once.
    """
    found: list[list[Edit]] = []
    changes: dict[int, list[list[Edit]]] = {}
    is_page_T = ~np.array(came_as_text, dtype=np.bool_)
    for run in runs_of(texts):
        lines = read_lines(texts[run], _meanings())
        found += _line_edits(texts[run], lines, config, is_page_T[run])
        before = _edits_before(texts[run], lines, config, is_page_T[run])
        changes |= {run.start + index: made for index, made in before.items()}
    # Few texts change before their lines are looked at; only these are read again.
    seen = [functools.reduce(apply, made, texts[index]) for index, made in changes.items()]
    again = _line_edits(seen, read_lines(seen, _meanings()), config, is_page_T[list(changes)]) if seen else []
    for (index, made), edits in zip(changes.items(), again, strict=True):
        for earlier in reversed(made):
            # The edits of lines take precedence, since a removed line includes the edits of its characters.
            edits = merge(original_spans(edits, earlier), earlier)
        found[index] = edits if is_page_T[index] else _with_carriage_returns(texts[index], edits)
    return found


@functools.cache
def _meanings() -> Meanings:
    """What cleaning needs to know of each code unit."""
    return meanings_of(
        [
            (MENDABLE, IS_CANDIDATE),
            (SPACE, units_in(SPACES)),
            (ORNAMENT, units_in(ORNAMENTS)),
            (COUNTED, units_in("".join(western for _, western in MARKS)) | units_in_bracket("\udc00-\udfff")),
            (BEFORE_MARK, units_in_bracket(JAPANESE) | units_in(CLOSING)),
            (HEADING, units_in_bracket(JAPANESE_HEADING)),
            (KANA_OR_KANJI, units_in_bracket("\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff")),
            *((1 << bit, units_of(ranges)) for bit, ranges in enumerate(navigation_automaton()[1])),
        ]
    )


def _edits_before(texts: Sequence[str], lines: Lines, config: CleanConfig, is_page_T: np.ndarray) -> dict[int, list[list[Edit]]]:
    """The edits of characters and those of anchors in what they leave, of the texts that have any."""
    made: dict[int, list[list[Edit]]] = {}
    invisible, kana, line_end = (step in config.steps for step in ("invisible", "kana", "line_end"))
    # An edit of characters and the neighbours on which it depends are in one line.
    mendable = np.flatnonzero(lines.table_L["seen"] & MENDABLE)
    for index, start, past in places_of(lines, mendable):
        line = texts[index][start:past]
        if is_page_T[index]:
            of_line = candidate_edits(line, invisible, kana, None)
        else:
            # With its line feed, before which a carriage return is no line end of its own.
            feed = texts[index][past : past + 1]
            of_line = candidate_edits(line + feed, invisible, kana, line_end)
            if feed and line.endswith("\r"):
                of_line.append(Edit(len(line) - 1, len(line), _CARRIAGE_RETURN, ""))
        if of_line:
            of_text = made.setdefault(index, [[]])[0]
            of_text += (edit._replace(start=edit.start + start, end=edit.end + start) for edit in of_line)
    if "anchor" in config.steps:
        for index in {*made, *np.flatnonzero(lines.texts_T["signs"][:-1] >= FEWEST_ANCHORS).tolist()}:
            seen = functools.reduce(apply, made.get(index, []), texts[index])
            anchors = outside_code(seen, anchor_edits(seen))
            if anchors:
                made.setdefault(index, []).append(anchors)
    return made


# The steps see a text without the carriage returns of its line ends, and these stay unless the line feed after them goes.
_CARRIAGE_RETURN = "carriage_return"


def _with_carriage_returns(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """`edits` of `text` without deletions of carriage returns before line feeds, unless the line feed goes too."""
    found: list[Edit] = []
    for edit in edits:
        if edit.kind != _CARRIAGE_RETURN:
            # A deletion that begins with a line feed takes its carriage return along. One that ends before a line feed does not,
            # though `original_spans` adds what is deleted directly after a span.
            start = edit.start - (not edit.replacement and edit.start > 0 and text.startswith("\r\n", edit.start - 1))
            end = edit.end - text.startswith("\r\n", edit.end - 1)
            found.append(edit._replace(start=start, end=end))
    return found


def _line_edits(texts: Sequence[str], lines: Lines, config: CleanConfig, is_page_T: np.ndarray) -> list[list[Edit]]:
    """The edits of whole lines, white space and punctuation."""
    kinds_L = np.full(len(lines.table_L), KEPT, dtype=np.int8)
    kind_of = {step: number for number, step in enumerate(STEPS, start=KEPT + 1)}
    head_L = np.zeros(0, dtype=np.bool_)
    code_L = fenced_lines(texts, lines)
    if "navigation" in config.steps:
        furniture_L, head_L = furniture(texts, lines)
        furniture_L, head_L = furniture_L & ~code_L, head_L & ~code_L
        kinds_L[furniture_L] = kind_of["navigation"]
        remove_head(lines, kinds_L, head_L, kind_of["navigation"])
    if "repeat" in config.steps:
        remove_repeats(texts, lines, kinds_L, kind_of["repeat"])
        kinds_L[code_L] = KEPT
        if "navigation" in config.steps:
            # After repetitions, which lengthen the head of the page.
            remove_head(lines, kinds_L, head_L, kind_of["navigation"])
    if "footer" in config.steps:
        last_TW, may_T = last_lines(lines, kinds_L, config.footer_lines)
        chosen_FW = last_TW[may_T]
        written = [texts[text][start:past] for text, start, past in places_of(lines, chosen_FW[chosen_FW >= 0])]
        for last in chosen_FW.tolist():
            numbers = last[last.count(-1) :]
            of_text, written = written[: len(numbers)], written[len(numbers) :]
            for number in numbers[footer_start(of_text, config.footer_lines, config.footer_share) :]:
                kinds_L[number] = KEPT if code_L[number] else kind_of["footer"]
    white_space = KEPT
    if "whitespace" in config.steps:
        white_space = kind_of["whitespace"]
        remove_superfluous_blanks(lines, kinds_L, white_space, is_page_T)
    found: list[list[Edit]] = [[] for _ in texts]
    for text, start, end, kind in removals(lines, kinds_L, white_space, is_page_T).tolist():
        found[text].append(Edit(start, end, STEPS[kind - KEPT - 1], ""))
    if "punctuation" in config.steps:
        for text in may_be_western(lines, [bool(edits) for edits in found]):
            found[text] = merge(found[text], outside_code(texts[text], punctuation_edits(texts[text], found[text])))
    return found
