"""Characters that a reader of the page never saw, or saw in another form: each is removed or composed by an edit.

Removed: control characters but line feed and tab, zero-width characters, marks of writing direction, soft hyphens,
interlinear annotation, tag characters. Composed: half-width katakana to full width, kana followed by a combining voiced or
semi-voiced sound mark to one character. Nothing else is normalised: NFKC turns 10² into 102 and ① into 1, and plain NFC
rewrites compatibility kanji, which changes names.

Texts that came as text (JSON lines, Parquet, WET) differ in one point. There a carriage return, a form feed or U+2028 ends a
line, as `str.splitlines` has it: files of old programs, text from PDF and JSON from JavaScript are written that way. Each becomes
a line feed; a carriage return before a line feed stays as it is. In a page, browsers end no line at any of them, so they are
removed.
"""

import re
import unicodedata

import numpy as np

from pipeline.compiled import njit
from pipeline.text.edits import Edit, merge
from pipeline.text.utf16 import code_units

_ALWAYS_INVISIBLE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
_JOINERS = "\u200c\u200d"
# A joiner is spelling in the scripts from Arabic to Sinhala, and in Myanmar, Khmer and Mongolian.
_JOINING_SCRIPTS = "\u0600-\u061b\u061d-\u0dff\u1000-\u109f\u1780-\u180d\u180f-\u18af"
# What may precede or follow the joiner in an emoji sequence: a pictograph, a skin tone, a variation selector.
_EMOJI = "\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff"
# What ends a line of a text that came as text, besides the line feed.
_LINE_ENDS = "\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029"
_LINE_END = re.compile(f"[{_LINE_ENDS}](?<!\r)|\r(?!\n)")
_JOINER = (
    f"\u200c(?!(?<=[{_JOINING_SCRIPTS}]\u200c)[{_JOINING_SCRIPTS}])"
    f"|\u200d(?!(?<=[{_JOINING_SCRIPTS}]\u200d)[{_JOINING_SCRIPTS}]|(?<=[{_EMOJI}]\u200d)[{_EMOJI}])"
)
_INVISIBLE = re.compile(f"(?:[{_ALWAYS_INVISIBLE}]|{_JOINER})+")
_INVISIBLE_IN_TEXT = re.compile(f"(?:(?![{_LINE_ENDS}])[{_ALWAYS_INVISIBLE}]|{_JOINER})+")

_SOUND_MARKS = "\u3099\u309a"
_COMPOSABLE = "".join(
    kana
    for kana in map(chr, range(0x3041, 0x30FF))
    if any(len(unicodedata.normalize("NFC", kana + mark)) == 1 for mark in _SOUND_MARKS)
)
_HALF_WIDTH = "\uff61-\uff9d"
# A sound mark that follows no kana stays as it is: the half-width ones are drawn in faces such as (ﾟ∀ﾟ).
_KANA = re.compile(f"[{_HALF_WIDTH}{_COMPOSABLE}][{_ALWAYS_INVISIBLE}{_JOINERS}]*[{_SOUND_MARKS}]|[{_HALF_WIDTH}][\uff9e\uff9f]?")
_CANDIDATE = re.compile(f"[{_ALWAYS_INVISIBLE}{_JOINERS}{_HALF_WIDTH}{_SOUND_MARKS}]")
# By UTF-16 code unit: tag characters are recognised by the first unit of their pair.
IS_CANDIDATE = np.array([_CANDIDATE.match(chr(unit)) is not None or unit == 0xDB40 for unit in range(0x10000)])
# The code units of what the step `invisible` alone may remove, including joiners that stay.
_MAY_BE_INVISIBLE = re.compile(f"[{_ALWAYS_INVISIBLE}{_JOINERS}]")
INVISIBLE_UNITS = [unit for unit in np.flatnonzero(IS_CANDIDATE).tolist() if unit == 0xDB40 or _MAY_BE_INVISIBLE.match(chr(unit))]


def character_edits(text: str, invisible: bool = True, kana: bool = True, line_ends: bool | None = None) -> list[Edit]:
    """The edits of the kinds `invisible`, `kana` and `line_end` that `text` needs, ordered, without overlaps.

    line_ends: for a text that came as text, whether other line ends become line feeds; None for the text of a page, where they
    are invisible characters.

    A zero-width joiner stays between two emoji, and a joiner or non-joiner between two characters of a script that shapes
    its letters with it. Flags made of tag characters (England, Scotland, Wales) become a plain black flag.
    """
    # Most documents need no edit of characters; one pass over the text shows it.
    return candidate_edits(text, invisible, kana, line_ends) if _holds_candidate(code_units(text), IS_CANDIDATE) else []


def candidate_edits(text: str, invisible: bool, kana: bool, line_ends: bool | None) -> list[Edit]:
    """`character_edits` of a text that has a character of `IS_CANDIDATE`."""
    unseen = _INVISIBLE if line_ends is None else _INVISIBLE_IN_TEXT
    composed = ((match.start(), match.end(), _compose(match.group())) for match in _KANA.finditer(text) if kana)
    return merge(
        (Edit(start, end, "kana", new) for start, end, new in composed if new != text[start:end]),
        (Edit(match.start(), match.end(), "invisible", "") for match in unseen.finditer(text) if invisible),
        (Edit(match.start(), match.end(), "line_end", "\n") for match in _LINE_END.finditer(text) if line_ends),
    )


@njit(nogil=True)
def _holds_candidate(units: np.ndarray, is_candidate: np.ndarray) -> bool:
    # No early exit from the loop: it costs more than it saves, since most texts have no candidate.
    found = False
    for unit in units:
        found |= is_candidate[unit]
    return found


def _compose(kana: str) -> str:
    """The full-width form of one kana and its mark; a mark that the kana does not take stays after it."""
    base, mark = kana[0], kana[-1] if len(kana) > 1 else ""
    # NFKC is safe on a single kana with its mark, and is used on nothing longer.
    composed = unicodedata.normalize("NFKC", base + mark)
    return composed if len(composed) == 1 else unicodedata.normalize("NFKC", base) + mark
