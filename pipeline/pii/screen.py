"""A screen before the search for personal data: it finds the lines of a batch that could contain any, in one compiled pass.

Every number, address and e-mail address has a core that is cheap to recognise: digits in groups of certain lengths, a number
after the name of a place, letters on both sides of an @. Nearly all texts have no core, and so no match of any of the `patterns`.
The cores are wider than the patterns and never narrower, as tests check on generated texts; the lines that pass are searched.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.pii import screen_tables as known
from pipeline.pii.screen_tables import TABLES, is_after_place, is_labelled, run_end
from pipeline.text.utf16 import batch_units


class Screened(NamedTuple):
    """What of a batch of texts is to be searched."""

    lines: np.ndarray  # int64 of shape (lines, 3): number of the text, first code point of the line, and the one after its last
    hides: np.ndarray  # bool of shape (texts,): an invisible character may be within a number, so the screen saw nothing


def screen(texts: Sequence[str]) -> Screened:
    """The lines that could hold personal data, in the order of the texts; in all others `find_personal_data` finds nothing."""
    units, bounds = batch_units(texts)
    return Screened(*_screen(units, bounds, *TABLES))


@njit(nogil=True)
def _screen(
    units: np.ndarray, bounds: np.ndarray, triggers: np.ndarray, signs: np.ndarray, reaches: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`screen`; a line feed precedes each text and follows the last, so no look leaves the array. In short:

    for each text, for each trigger that no core or line before it has used up:
        if it hides:        mark the text, and leave it
        if it is a core:    its line is to be searched; go on after the line
    """
    texts = len(bounds) - 1
    lines = np.empty((texts + 1, 3), dtype=np.int64)
    count = 0
    hides = np.zeros(texts, dtype=np.bool_)
    places = _room_for_places(bounds)
    for text in range(texts):
        found = _find_triggers(units[: bounds[text + 1] - 1], bounds[text], triggers, places)
        end = 0
        for index in places[:found]:
            if index < end:
                continue
            trigger = triggers[units[index]]
            if trigger == known.HIDDEN:
                hides[text] = True
                break
            end = index + 1
            # One more character excludes most triggers. It is tested here, since a call would double the cost.
            if trigger == known.NUMBER:
                end = run_end(units, signs, end)
                goes_on = end - index >= 5 or signs[units[end]].classes & known.GOES_ON != 0
                is_core = goes_on and _is_number(units, signs, reaches, index, end)
            else:
                before = known.HEXADECIMAL if trigger == known.COLON else known.BEFORE_CLOSE if trigger == known.CLOSE else 0
                is_told = before == 0 or signs[units[index - 1]].classes & before != 0
                is_core = is_told and _is_address(units, signs, reaches, index, trigger)
            if is_core:
                first = index
                while units[first - 1] != ord("\n"):
                    first -= 1
                while units[end] != ord("\n"):
                    hides[text] |= triggers[units[end]] == known.HIDDEN
                    end += 1
                if count == len(lines):
                    lines = np.concatenate((lines, np.empty_like(lines)))
                lines[count, 0] = text
                lines[count, 1] = _code_points(units, bounds[text], first)
                lines[count, 2] = lines[count, 1] + _code_points(units, first, end)
                count += 1
    return lines[:count], hides


@njit(nogil=True)
def _room_for_places(bounds: np.ndarray) -> np.ndarray:
    """Uninitialised space for a place per code unit of the longest text."""
    longest = 0
    for text in range(len(bounds) - 1):
        longest = max(longest, bounds[text + 1] - bounds[text])
    return np.empty(longest, dtype=np.int64)


@njit(nogil=True)
def _find_triggers(units: np.ndarray, start: int, triggers: np.ndarray, places: np.ndarray) -> int:
    """Write where the triggers in `units[start:]` are to `places`; returns how many there are.

    A pass without a branch takes less than half the time of one that stops at every trigger.
    """
    found = 0
    for index in range(start, len(units)):
        places[found] = index
        found += triggers[units[index]] != known.NOTHING
    return found


@njit(nogil=True)
def _code_points(units: np.ndarray, start: int, end: int) -> int:
    """How many code points `units[start:end]` are; a lone half of a pair is one."""
    count = 0
    for index in range(start, end):
        is_second_half = 0xDC00 <= units[index] <= 0xDFFF and 0xD800 <= units[index - 1] <= 0xDBFF
        count += not is_second_half
    return count


@njit(nogil=True)
def _is_number(units: np.ndarray, signs: np.ndarray, reaches: np.ndarray, start: int, end: int) -> bool:  # noqa: C901  a state machine reads best in one place
    """Whether the run of digits `units[start:end]`, after which a short number goes on, is one or the first group of one."""
    first, digits = signs[units[start]].shadow, end - start
    if digits > 5:
        if first == ord("0") and digits in (10, 11):
            return True
        if digits == 7:
            has_label = is_labelled(units, signs, reaches, start, known.ACCOUNT)
            return has_label or is_labelled(units, signs, reaches, start, known.POSTAL_CODE)
        if digits == 12 and is_labelled(units, signs, reaches, start, known.MY_NUMBER):
            return True
        if 14 <= digits <= 19 and is_labelled(units, signs, reaches, start, known.CARD):
            return True
        return signs[units[start - 1]].shadow == ord("+")
    if digits == 5 and first <= ord("1") and is_labelled(units, signs, reaches, start, known.POST_BANK):
        return True
    may_be_house_number = first != ord("0") and _may_be_house_number(units, signs, start, end)
    if may_be_house_number and is_after_place(units, signs, reaches, start):
        return True
    second = _next_group(units, signs, end, 4)
    second_end = run_end(units, signs, second)
    if second == second_end or (second == end and digits != 3):
        return False
    third = _next_group(units, signs, second_end, 3)
    third_end = run_end(units, signs, third)
    seconds, thirds = second_end - second, third_end - third
    if signs[units[start - 1]].shadow == ord("+") and first != ord("0"):
        # After a code come two groups of two digits or more; after that of Japan there may be a zero in brackets.
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
        return _is_postal_code(units, signs, reaches, start, second_end)
    return digits <= 3 and _is_ip_address(units, signs, reaches, start, end)


@njit(nogil=True)
def _next_group(units: np.ndarray, signs: np.ndarray, end: int, most: int) -> int:
    """Where a group of digits can begin after one that ends at `end`, with at most `most` separators between them."""
    index = end
    while index < end + most and signs[units[index]].classes & known.SEPARATOR:
        index += 1
    return index


@njit(nogil=True)
def _is_ip_address(units: np.ndarray, signs: np.ndarray, reaches: np.ndarray, start: int, end: int) -> bool:
    """Whether four numbers below 256 with dots begin here; `units[start:end]` is the first."""
    if _is_private(units, start, end):
        return False
    has_three_digits = end - start == 3
    begins_with_one = end - start == 1
    for _ in range(3):
        if signs[units[end]].shadow != ord("."):
            return False
        group = end + 1
        end = run_end(units, signs, group)
        if not 1 <= end - group <= 3:
            return False
        has_three_digits |= end - group == 3
    if signs[units[start - 1]].shadow == ord(".") or signs[units[end]].classes & known.LETTER_OR_DIGIT:
        return False
    if has_three_digits and not begins_with_one:
        return True
    # Numbers of versions and sections look the same, so such an address needs a label (`checks.is_global_ipv4`).
    return is_labelled(units, signs, reaches, start, known.IP_ADDRESS)


@njit(nogil=True)
def _is_private(units: np.ndarray, start: int, end: int) -> bool:
    """Whether an address begins with 10, 127 or 192.168 in ASCII, as most on pages do; the internet routes none of them."""
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


@njit(nogil=True)
def _may_be_house_number(units: np.ndarray, signs: np.ndarray, start: int, end: int) -> bool:
    """Whether a character of a town precedes `units[start:end]`, and a sign that joins the numbers of a house follows."""
    after = units[end]
    if signs[after].shadow != ord("-") and after not in (ord("丁"), ord("番"), ord("の"), ord("ノ")):
        return False
    last_of_town = start - 2 if signs[units[start - 1]].shadow == ord(" ") else start - 1
    return signs[units[last_of_town]].words & known.OF_TOWN != 0


@njit(nogil=True)
def _is_postal_code(units: np.ndarray, signs: np.ndarray, reaches: np.ndarray, start: int, end: int) -> bool:
    """Whether the mark or a label precedes the two groups `units[start:end]`, or a place follows them."""
    if is_labelled(units, signs, reaches, start, known.POSTAL_CODE):
        return True
    for _ in range(2):
        if signs[units[end]].shadow == ord(" "):
            end += 1
    return signs[units[end]].words & known.PLACE_START != 0


@njit(nogil=True)
def _is_address(units: np.ndarray, signs: np.ndarray, reaches: np.ndarray, index: int, trigger: int) -> bool:
    """Whether the sign at `index` is the core of an e-mail address, of an IPv6 address or of a house number in kanji."""
    if trigger == known.AT:
        return _is_at_sign(units, signs, index)
    if trigger == known.COLON:
        return _is_colon_of_ipv6(units, signs, index)
    if trigger == known.STREET:
        is_street = units[index - 1] == ord("丁") and signs[units[index + 1]].words & known.KANJI_DIGIT != 0
        return is_street and is_after_place(units, signs, reaches, index - 1)
    after = index + 1
    if trigger == known.CLOSE and signs[units[after]].shadow == ord(" "):
        after += 1
    if not signs[units[after]].classes & known.LETTER_OR_DIGIT:
        return False
    if trigger == known.AT_MARK:  # アットマーク
        return units[index - 1] == ord("ー") and units[index - 2] == ord("マ")
    return _is_at_word_in_brackets(units, signs, index)


@njit(nogil=True)
def _is_at_sign(units: np.ndarray, signs: np.ndarray, index: int) -> bool:
    """Whether the @ at `index` is between a local part and the first label of a domain."""
    before = index - 2 if signs[units[index - 1]].shadow == ord(" ") else index - 1
    after = index + 1
    if not signs[units[before]].classes & known.LOCAL:
        return False
    if units[after] == ord("マ"):  # ★マーク
        return True
    if signs[units[after]].shadow == ord(" "):
        after += 1
    label = after
    while signs[units[after]].classes & known.LETTER_OR_DIGIT or signs[units[after]].shadow == ord("-"):
        after += 1
    # What begins a dot of a domain, also written in words (ドット).
    unit = signs[units[after]].shadow
    return after > label and (unit in (ord("."), ord(" "), ord("ド")) or signs[units[after]].classes & known.OPENS != 0)


@njit(nogil=True)
def _is_colon_of_ipv6(units: np.ndarray, signs: np.ndarray, index: int) -> bool:
    """Whether four hexadecimal digits, the first 2 or 3, precede the colon at `index`, and at most four and a colon follow it."""
    if signs[units[max(index - 4, 0)]].shadow not in (ord("2"), ord("3")):
        return False
    for position in range(index - 3, index):
        if not signs[units[position]].classes & known.HEXADECIMAL:
            return False
    after = index + 1
    while after < index + 5 and signs[units[after]].classes & known.HEXADECIMAL:
        after += 1
    return signs[units[after]].shadow == ord(":")


@njit(nogil=True)
def _is_at_word_in_brackets(units: np.ndarray, signs: np.ndarray, index: int) -> bool:
    """Whether a word for an @ is between the bracket that closes at `index` and one that opens, spaces aside."""
    last = index - 2 if signs[units[index - 1]].shadow == ord(" ") else index - 1
    length = signs[units[last]].at_length
    if length == 0:
        return False
    first = max(last + 1 - length, 2)
    opening = first - 2 if signs[units[first - 1]].shadow == ord(" ") else first - 1
    return signs[units[opening]].classes & known.OPENS != 0
