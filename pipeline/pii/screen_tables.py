"""What the screen knows of each UTF-16 code unit, and of the words that may precede a number.

All of it is derived: the labels and their reaches from `labels`, places and the signs of addresses from `patterns`. Compiled
code gets the tables as arguments, since it is kept when a constant of a file without compiled code changes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from pipeline.pii.labels import LABELS, Label, Labels
from pipeline.pii.patterns import (
    AT_SIGNS,
    CLOSING,
    ENDS_OF_PLACES,
    KANJI_DIGITS,
    OPENING,
    PLACE_REACH,
    PLACES,
    TOWN,
    WORDS_FOR_AT,
)
from pipeline.pii.shadow import SHADOW_OF
from pipeline.text.invisible import INVISIBLE_UNITS
from pipeline.text.utf16 import UNITS, units_in, units_in_bracket

# What a character may be, as bits. The separators are those between the groups of a telephone number.
DIGIT, LETTER_OR_DIGIT, LOCAL, HEXADECIMAL, SEPARATOR, GOES_ON, BEFORE_CLOSE, OPENS = (1 << bit for bit in range(8))
# What it may be of a word, as bits; from FIRST_LABEL on the last character of a label, with a bit for each group.
OF_TOWN, PLACE_END, PLACE_START, KANJI_DIGIT, FIRST_LABEL = (1 << bit for bit in range(5))
# The groups of labels: those that are looked for together. PLACE is no group, but a reach is kept for it too.
ACCOUNT, POST_BANK, CARD, MY_NUMBER, POSTAL_CODE, IP_ADDRESS, PLACE = range(7)
# Where a core is looked for: at digits, signs of an address, colons, 丁目, and what hides between other characters.
NOTHING, NUMBER, AT, CLOSE, AT_MARK, COLON, STREET, HIDDEN = range(8)

_SIGN = np.dtype(
    [
        ("shadow", np.uint16),  # as `shadow.SHADOW_OF`, but the long vowel mark is always a hyphen
        ("words", np.uint16),  # bits from OF_TOWN on
        ("classes", np.uint8),  # bits from DIGIT on
        ("at_length", np.uint8),  # the length of the word for an @ that ends with it, 0 for none
    ]
)


class Tables(NamedTuple):
    """What the screen knows. U is 65,536, the number of UTF-16 code units."""

    triggers_U: np.ndarray  # uint8: what a core may begin with, NOTHING for nearly all
    signs_U: np.ndarray  # _SIGN
    reaches: np.ndarray  # int64 of shape (7,): characters between a label, or the name of a place, and its number at most


def tables_of(labels: Labels) -> Tables:
    """The tables for `labels`; everything else comes from `patterns`."""
    signs_U = np.zeros(UNITS, dtype=_SIGN)
    # The long vowel mark is a hyphen between digits; taken for one everywhere, it lets through a few more lines.
    shadow_U = signs_U["shadow"]
    shadow_U[:] = SHADOW_OF
    shadow_U[ord("ー")] = ord("-")
    alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for bit, members in (
        (DIGIT, "0123456789"),
        (LETTER_OR_DIGIT, alphanumeric),
        (LOCAL, alphanumeric + "._%+-"),
        (HEXADECIMAL, "0123456789ABCDEFabcdef"),
        (SEPARATOR, "-.() "),
        (GOES_ON, "-.() 丁番のノ"),  # after the first group of every number that has several
        (BEFORE_CLOSE, " " + "".join(word[-1] for word in WORDS_FOR_AT)),
        (OPENS, OPENING),
    ):
        signs_U["classes"][units_in(members)[shadow_U]] |= np.uint8(bit)
    groups: dict[int, tuple[Label, ...]] = {
        ACCOUNT: (labels.account, labels.branch),
        POST_BANK: (labels.post_bank,),
        CARD: (labels.card,),
        MY_NUMBER: (labels.my_number,),
        POSTAL_CODE: (labels.postal_mark, labels.postal_code),
        IP_ADDRESS: (labels.ip_address,),
    }
    for bit, table_U in (
        (OF_TOWN, units_in_bracket(TOWN)),
        (PLACE_END, units_in("".join(ENDS_OF_PLACES))),
        (PLACE_START, units_in("".join(place[0] for place in PLACES))),
        (KANJI_DIGIT, units_in(KANJI_DIGITS)),
        *((FIRST_LABEL << group, _last_units(of_group)) for group, of_group in groups.items()),
    ):
        signs_U["words"][table_U[SHADOW_OF]] |= np.uint16(bit)
    for word in WORDS_FOR_AT:
        signs_U["at_length"][units_in(word[-1])[shadow_U]] = len(word)
    triggers_U = np.zeros(UNITS, dtype=np.uint8)
    for trigger, members in ((NUMBER, "0123456789"), (AT, AT_SIGNS), (CLOSE, CLOSING), (COLON, ":")):
        triggers_U[units_in(members)[shadow_U]] = trigger
    triggers_U[ord("ク")], triggers_U[ord("目")] = AT_MARK, STREET
    triggers_U[INVISIBLE_UNITS] = HIDDEN
    reaches = {group: max(label.gap.characters for label in of_group) for group, of_group in groups.items()} | {
        PLACE: PLACE_REACH
    }
    return Tables(triggers_U, signs_U, np.array([reaches[group] for group in sorted(reaches)], dtype=np.int64))


def _last_units(labels: Sequence[Label]) -> np.ndarray:
    """Which code units end a word of the labels: bool of shape (65536,)."""
    return units_in("".join(word[-1] for label in labels for word in label.words))


TABLES = tables_of(LABELS)


@numba.njit(cache=True, nogil=True)
def run_end(units: np.ndarray, signs: np.ndarray, index: int) -> int:
    """Where the digits from `index` on end."""
    while signs[units[index]].classes & DIGIT:
        index += 1
    return index


@numba.njit(cache=True, nogil=True)
def is_labelled(units: np.ndarray, signs: np.ndarray, reaches: np.ndarray, start: int, group: int) -> bool:
    """Whether a word of the labels of `group` ends on the line before `start`, within their reach.

    No digit may be between the two, but for a 個人番号, which has 12桁 there.
    """
    characters = reaches[group]
    index = start - 1
    while characters >= 0:
        unit = units[index]
        if unit == ord("\n") or (signs[unit].classes & DIGIT and group != MY_NUMBER):
            return False
        if signs[unit].words & (FIRST_LABEL << group):
            return True
        characters -= not 0xDC00 <= unit <= 0xDFFF  # the second half of a pair
        index -= 1
    return False


@numba.njit(cache=True, nogil=True)
def is_after_place(units: np.ndarray, signs: np.ndarray, reaches: np.ndarray, start: int) -> bool:
    """Whether only characters of towns, digits and spaces are between the end of a place's name and `start`."""
    for index in range(start - 1, start - 2 - reaches[PLACE], -1):
        unit = units[index]
        if signs[unit].words & PLACE_END:
            return True
        # Of the separators only the space belongs to towns, but it has many forms.
        if not signs[unit].words & OF_TOWN and not signs[unit].classes & (DIGIT | SEPARATOR):
            return False
    return False
