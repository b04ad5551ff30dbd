"""A screen before the search for personal data: which texts of a batch could hold any, by one compiled pass over all of them.

Every number, address and e-mail address has a core that is cheap to see: digits in groups of certain lengths, a number behind
the name of a place, letters on both sides of an @. A text without any core has no match of any pattern of `pii_patterns`,
and such are nearly all. The cores are wider than the patterns and never narrower, which tests hold on generated
texts; what they let through is searched as before.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from pipeline.pii.patterns import ENDS_OF_PLACES, KANJI_DIGITS, KNOWN_CITIES, PREFECTURES, TOWN
from pipeline.pii.shadow import SHADOW_OF
from pipeline.text.invisible import INVISIBLE_UNITS
from pipeline.text.utf16 import batch_units, units_in, units_in_bracket

# The long vowel mark is a hyphen between digits; taken for one everywhere it lets a little more through.
_SHADOW_OF = SHADOW_OF.copy()
_SHADOW_OF[ord("ー")] = ord("-")
_DIGIT, _LETTER_OR_DIGIT, _LOCAL, _HEXADECIMAL, _SEPARATOR, _GOES_ON, _BEFORE_CLOSE = 1, 2, 4, 8, 16, 32, 64
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SIGN_CLASSES = (
    (_DIGIT, "0123456789"),
    (_LETTER_OR_DIGIT, _ALPHANUMERIC),
    (_LOCAL, _ALPHANUMERIC + "._%+-"),
    (_HEXADECIMAL, "0123456789ABCDEFabcdef"),
    (_SEPARATOR, "-.() "),  # between the groups of a telephone number
    (_GOES_ON, "-.() 丁番のノ"),  # behind the first group of whatever has several
    (_BEFORE_CLOSE, "@tTトとク "),  # where the at of an address is written in brackets
)
_CLASSES = np.zeros(0x10000, dtype=np.uint8)
for _bit, _members in _SIGN_CLASSES:
    _CLASSES[units_in(_members)[_SHADOW_OF]] |= np.uint8(_bit)
_TOWN, _PLACE_END, _PLACE_START, _KANJI_DIGIT = 1, 2, 4, 8
_ACCOUNT_LABEL, _POST_LABEL, _CARD_LABEL, _MY_NUMBER_LABEL, _IP_LABEL = 16, 32, 64, 128, 256
_WORD_CLASSES = np.zeros(0x10000, dtype=np.uint16)
for _bit, _table in (
    (_TOWN, units_in_bracket(TOWN)),
    (_PLACE_END, units_in("".join(ENDS_OF_PLACES))),
    (_PLACE_START, units_in("".join(name[0] for name in f"{PREFECTURES}|{KNOWN_CITIES}".split("|")))),
    (_KANJI_DIGIT, units_in(KANJI_DIGITS)),
    # The last characters of the labels: of ACCOUNT_WITH_TYPE, ACCOUNT_AT_BRANCH and postal codes, of ACCOUNT_AT_POST_BANK,
    # of CARD_WITH_LABEL, of MY_NUMBER_WITH_LABEL, and of what names an IP address (`pii_validators`).
    (_ACCOUNT_LABEL, units_in("通座蓄店所部先〒号")),
    (_POST_LABEL, units_in("号ょ金替座")),
    (_CARD_LABEL, units_in("ドカAaBXxsd")),
    (_MY_NUMBER_LABEL, units_in("ー号r")),
    (_IP_LABEL, units_in("PpgGStemスバト")),
):
    _WORD_CLASSES[_table[SHADOW_OF]] |= np.uint16(_bit)
# Where a core is looked for: at digits, signs of an address, colons, 丁目, and what hides between other characters.
_NO, _NUMBER, _AT, _CLOSE, _AT_MARK, _COLON, _STREET, _HIDDEN = range(8)
_TRIGGERS = np.zeros(0x10000, dtype=np.uint8)
for _trigger, _signs in ((_NUMBER, "0123456789"), (_AT, "@★☆"), (_CLOSE, "])］>"), (_COLON, ":")):
    _TRIGGERS[units_in(_signs)[_SHADOW_OF]] = _trigger
_TRIGGERS[ord("ク")], _TRIGGERS[ord("目")] = _AT_MARK, _STREET
_TRIGGERS[INVISIBLE_UNITS] = _HIDDEN

# How many code units lie at most between a number and its label: gaps and further words of an account (4 and three times 2 + 4)
# and of a giro account (eight times 2), 20 before a card, those and two gaps of 12桁 before a 個人番号, 10 before an IP address;
# 30 of town and 4 of street before a house number. A postal code has 4, and a space.
_ACCOUNT_REACH, _POST_REACH, _CARD_REACH, _MY_NUMBER_REACH, _IP_REACH, _PLACE_REACH, _POSTAL_REACH = 22, 16, 20, 28, 10, 36, 4


class Screened(NamedTuple):
    """What of a batch of texts is to be searched."""

    lines: np.ndarray  # int64 of shape (lines, 3): number of the text, first code point of the line, and the one behind its last
    hides: np.ndarray  # bool of shape (texts,): an invisible character may stand within a number, so the screen saw nothing


def screen(texts: Sequence[str]) -> Screened:
    """The lines that could hold personal data, in the order of the texts; on all others `find_personal_data` finds nothing."""
    units, bounds = batch_units(texts)
    return Screened(*_screen(units, bounds, _TRIGGERS, _SHADOW_OF, _CLASSES, _WORD_CLASSES))


@numba.njit(cache=True, nogil=True)
def _screen(
    units: np.ndarray, bounds: np.ndarray, triggers: np.ndarray, shadow_of: np.ndarray, classes: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`screen`; a line feed stands before each text and behind the last, so no look leaves the array."""
    texts = len(bounds) - 1
    lines = np.empty((texts + 1, 3), dtype=np.int64)
    count = 0
    hides = np.zeros(texts, dtype=np.bool_)
    longest = 0
    for text in range(texts):
        longest = max(longest, bounds[text + 1] - bounds[text])
    places = np.empty(longest, dtype=np.int64)
    for text in range(texts):
        # A pass without a branch takes less than half the time of one that stops at every trigger.
        found = 0
        for index in range(bounds[text], bounds[text + 1] - 1):
            places[found] = index
            found += triggers[units[index]] != _NO
        end = 0
        for index in places[:found]:
            if index < end:
                continue
            trigger = triggers[units[index]]
            if trigger == _HIDDEN:
                hides[text] = True
                break
            end = index + 1
            # Most triggers are told by one more character, which is looked at here, as a call costs as much again.
            if trigger == _NUMBER:
                end = _run_end(units, classes, end)
                goes_on = end - index >= 5 or classes[units[end]] & _GOES_ON != 0
                is_core = goes_on and _is_number(units, shadow_of, classes, words, index, end)
            else:
                before = _HEXADECIMAL if trigger == _COLON else _BEFORE_CLOSE if trigger == _CLOSE else 0
                is_told = before == 0 or classes[units[index - 1]] & before != 0
                is_core = is_told and _is_address(units, shadow_of, classes, words, index, trigger)
            if is_core:
                first = index
                while units[first - 1] != ord("\n"):
                    first -= 1
                while units[end] != ord("\n"):
                    hides[text] |= triggers[units[end]] == _HIDDEN
                    end += 1
                if count == len(lines):
                    lines = np.concatenate((lines, np.empty_like(lines)))
                lines[count, 0] = text
                lines[count, 1] = _code_points(units, bounds[text], first)
                lines[count, 2] = lines[count, 1] + _code_points(units, first, end)
                count += 1
    return lines[:count], hides


@numba.njit(cache=True, nogil=True)
def _code_points(units: np.ndarray, start: int, end: int) -> int:
    """How many code points `units[start:end]` are; half a pair alone is one."""
    count = 0
    for index in range(start, end):
        is_second_half = 0xDC00 <= units[index] <= 0xDFFF and 0xD800 <= units[index - 1] <= 0xDBFF
        count += not is_second_half
    return count


@numba.njit(cache=True, nogil=True)
def _run_end(units: np.ndarray, classes: np.ndarray, index: int) -> int:
    while classes[units[index]] & _DIGIT:
        index += 1
    return index


@numba.njit(cache=True, nogil=True)
def _is_number(units: np.ndarray, shadow_of: np.ndarray, classes: np.ndarray, words: np.ndarray, start: int, end: int) -> bool:
    """Whether the run of digits `units[start:end]`, behind which a short number goes on, is one or the first group of one."""
    first, digits = shadow_of[units[start]], end - start
    if digits > 5:
        if first == ord("0") and digits in (10, 11):
            return True
        if digits == 7:
            return _is_labelled(units, classes, words, start, _ACCOUNT_REACH, _ACCOUNT_LABEL)
        if digits == 12 and _is_behind(units, words, start, _MY_NUMBER_REACH, _MY_NUMBER_LABEL):
            return True
        if 14 <= digits <= 19 and _is_labelled(units, classes, words, start, _CARD_REACH, _CARD_LABEL):
            return True
        return shadow_of[units[start - 1]] == ord("+")
    if digits == 5 and first <= ord("1") and _is_labelled(units, classes, words, start, _POST_REACH, _POST_LABEL):
        return True
    may_be_house_number = first != ord("0") and _may_be_house_number(units, shadow_of, words, start, end)
    if may_be_house_number and _is_behind_place(units, classes, words, start):
        return True
    second = _next_group(units, classes, end, 4)
    second_end = _run_end(units, classes, second)
    if second == second_end or (second == end and digits != 3):
        return False
    third = _next_group(units, classes, second_end, 3)
    third_end = _run_end(units, classes, third)
    seconds, thirds = second_end - second, third_end - third
    if shadow_of[units[start - 1]] == ord("+") and first != ord("0"):
        # Behind a code come two groups of two digits or more; behind that of Japan a zero in brackets may stand.
        return digits + seconds + thirds >= 5 or (digits == 2 and first == ord("8"))
    if first == ord("0") and digits >= 2:
        # The Japanese plan has 10 and 11 digits.
        if 5 <= seconds <= 8 and 10 <= digits + seconds <= 11:
            return True
        if seconds <= 4 and 3 <= thirds <= 4 and 10 <= digits + seconds + thirds <= 11:
            return True
    if digits == 4 and ((seconds == 4 and thirds == 4) or (seconds == 6 and 4 <= thirds <= 5)):
        return True  # 個人番号, cards
    if digits == 3 and seconds == 4:
        return _is_postal_code(units, shadow_of, classes, words, start, second_end)
    return digits <= 3 and _is_ip_address(units, shadow_of, classes, words, start, end)


@numba.njit(cache=True, nogil=True)
def _next_group(units: np.ndarray, classes: np.ndarray, end: int, most: int) -> int:
    """Where a group of digits can begin behind one that ends at `end`, with at most `most` separators between them."""
    index = end
    while index < end + most and classes[units[index]] & _SEPARATOR:
        index += 1
    return index


@numba.njit(cache=True, nogil=True)
def _is_ip_address(
    units: np.ndarray, shadow_of: np.ndarray, classes: np.ndarray, words: np.ndarray, start: int, end: int
) -> bool:
    """Whether four numbers below 256 with dots begin here; `units[start:end]` is the first."""
    if _is_private(units, start, end):
        return False
    has_three_digits = end - start == 3
    begins_with_one = end - start == 1
    for _ in range(3):
        if shadow_of[units[end]] != ord("."):
            return False
        group = end + 1
        end = _run_end(units, classes, group)
        if not 1 <= end - group <= 3:
            return False
        has_three_digits |= end - group == 3
    if shadow_of[units[start - 1]] == ord(".") or classes[units[end]] & _LETTER_OR_DIGIT:
        return False
    if has_three_digits and not begins_with_one:
        return True
    # Numbers of versions and sections look like it, so such an address needs a label (`is_global_ipv4`).
    return _is_labelled(units, classes, words, start, _IP_REACH, _IP_LABEL)


@numba.njit(cache=True, nogil=True)
def _is_private(units: np.ndarray, start: int, end: int) -> bool:
    """Whether an address begins with 10, 127 or 192.168 in ASCII: most of those on pages do, and the internet routes none."""
    if end - start == 2:
        return units[start] == ord("1") and units[start + 1] == ord("0")
    if end - start != 3 or units[start] != ord("1"):
        return False
    tens, ones = units[start + 1] - ord("0"), units[start + 2] - ord("0")
    if tens == 2 and ones == 7:
        return True
    is_168 = (
        units[end + 1] == ord("1") and units[end + 2] == ord("6") and units[end + 3] == ord("8") and units[end + 4] == ord(".")
    )
    return tens == 9 and ones == 2 and is_168


@numba.njit(cache=True, nogil=True)
def _is_behind(units: np.ndarray, words: np.ndarray, start: int, reach: int, label: int) -> bool:
    """Whether a character of the class `label` stands on the line before `start`, at most `reach` units between them."""
    for index in range(start - 1, start - 2 - reach, -1):
        if units[index] == ord("\n"):
            return False
        if words[units[index]] & label:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _is_labelled(units: np.ndarray, classes: np.ndarray, words: np.ndarray, start: int, reach: int, label: int) -> bool:
    """As `_is_behind`, and no digit stands between them."""
    for index in range(start - 1, start - 2 - reach, -1):
        if units[index] == ord("\n") or classes[units[index]] & _DIGIT:
            return False
        if words[units[index]] & label:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _may_be_house_number(units: np.ndarray, shadow_of: np.ndarray, words: np.ndarray, start: int, end: int) -> bool:
    behind = units[end]
    if shadow_of[behind] != ord("-") and behind not in (ord("丁"), ord("番"), ord("の"), ord("ノ")):
        return False
    last_of_town = start - 2 if shadow_of[units[start - 1]] == ord(" ") else start - 1
    return words[units[last_of_town]] & _TOWN != 0


@numba.njit(cache=True, nogil=True)
def _is_behind_place(units: np.ndarray, classes: np.ndarray, words: np.ndarray, start: int) -> bool:
    """Whether only characters of towns, digits and spaces lie between `start` and an end of the name of a place."""
    for index in range(start - 1, start - 2 - _PLACE_REACH, -1):
        unit = units[index]
        if words[unit] & _PLACE_END:
            return True
        # Of the separators only the space stands in a town, but it comes in many forms.
        if not words[unit] & _TOWN and not classes[unit] & (_DIGIT | _SEPARATOR):
            return False
    return False


@numba.njit(cache=True, nogil=True)
def _is_postal_code(
    units: np.ndarray, shadow_of: np.ndarray, classes: np.ndarray, words: np.ndarray, start: int, end: int
) -> bool:
    """Whether the mark, the label or a place stands beside the two groups."""
    if _is_labelled(units, classes, words, start, _POSTAL_REACH, _ACCOUNT_LABEL):
        return True
    for _ in range(2):
        if shadow_of[units[end]] == ord(" "):
            end += 1
    return words[units[end]] & _PLACE_START != 0


@numba.njit(cache=True, nogil=True)
def _is_address(
    units: np.ndarray, shadow_of: np.ndarray, classes: np.ndarray, words: np.ndarray, index: int, trigger: int
) -> bool:
    """Whether the sign at `index` is the core of an e-mail address, of an IPv6 address or of a house number in kanji."""
    if trigger == _STREET:
        return (
            units[index - 1] == ord("丁")
            and words[units[index + 1]] & _KANJI_DIGIT != 0
            and _is_behind_place(units, classes, words, index - 1)
        )
    before = index - 2 if shadow_of[units[index - 1]] == ord(" ") else index - 1
    behind = index + 1
    if trigger == _COLON:
        if not 50 <= shadow_of[units[max(index - 4, 0)]] <= 51:  # 2 or 3
            return False
        for position in range(index - 3, index):
            if not classes[units[position]] & _HEXADECIMAL:
                return False
        while behind < index + 5 and classes[units[behind]] & _HEXADECIMAL:
            behind += 1
        return shadow_of[units[behind]] == ord(":")
    if trigger == _AT:
        if not classes[units[before]] & _LOCAL:
            return False
        if units[behind] == ord("マ"):  # ★マーク
            return True
        while classes[units[behind]] & _LETTER_OR_DIGIT or shadow_of[units[behind]] == ord("-"):
            behind += 1
        # What begins a dot of a domain, also written in words.
        return behind > index + 1 and shadow_of[units[behind]] in (46, 32, ord("["), ord("("), ord("［"), ord("<"), ord("ド"))
    if shadow_of[units[behind]] == ord(" ") and trigger == _CLOSE:
        behind += 1
    if not classes[units[behind]] & _LETTER_OR_DIGIT:
        return False
    if trigger == _AT_MARK:  # アットマーク
        return units[index - 1] == ord("ー") and units[index - 2] == ord("マ")
    last = shadow_of[units[before]]
    if last == ord("@"):
        first = before
    elif last == ord("t") or last == ord("T"):
        first = before - 1  # at
    elif last == ord("ト") or last == ord("と"):
        first = before - 2  # アット
    elif last == ord("ク"):
        first = before - 5  # アットマーク
    else:
        return False
    first = max(first, 2)
    opening = shadow_of[units[first - 2]] if shadow_of[units[first - 1]] == ord(" ") else shadow_of[units[first - 1]]
    return opening in (ord("["), ord("("), ord("［"), ord("<"))
