"""Telephone numbers: the Japanese numbering plan as people write it, and numbers with the code of another country.

The plan is that of `phonenumbers` (region JP). Japan has no numbers reserved for fiction; examples use exchanges that begin with
0, which no subscriber has, so these count as numbers here.
"""

import functools
import re

import phonenumbers

from pipeline.pii.context import before, is_labelled_otherwise, is_near_business

# Lengths of the groups in which a number is written; the area code of a landline has 2 to 5 digits, including its 0.
_MOBILE_GROUPS = {(3, 4, 4), (3, 8), (11,)}
_SERVICE_GROUPS = {(4, 3, 3), (4, 2, 4), (4, 6), (4, 3, 4), (4, 7), (10,), (11,)}
_LANDLINE_GROUPS = {(2, 4, 4), (3, 3, 4), (4, 2, 4), (5, 1, 4), (2, 8), (3, 7), (4, 6), (10,)}
# Free dial (0120, 0800), navigation dial (0570) and paid information (0990): numbers that only firms and offices have.
_SERVICE = ("0120", "0800", "0570", "0990")
# Personal and IP telephones. 060 is open for mobiles as well as 070, 080 and 090; 020, once for pagers, is left out.
_MOBILE_OR_IP = re.compile("0[5-9]0[0-9]{8}")
_SEPARATORS = {"-", " - ", "- ", " ", ".", "(", " (", ")", ") ", ")-"}
_LABEL = re.compile(
    "(?:電話|携帯|ケータイ|スマホ|(?i:tel|phone|fax|mobile)|ファックス|ファクス|連絡先|ダイヤル|直通|代表|☎|℡|📞)[^0-9\n［］]{0,8}$"
)


def is_telephone(match: re.Match[str]) -> bool:
    """A number of the Japanese plan, in groups as they are written or in none, or a valid one of another country."""
    value = match["value"]
    if not _stands_free(match) or (is_labelled_otherwise(match) and not _LABEL.search(before(match))):
        return False
    if value.startswith("+") and not value.startswith("+81"):
        return _is_valid(value, None)
    groups = national_groups(value)
    number = "".join(groups)
    lengths = tuple(map(len, groups))
    if not _are_separators(value.translate(_WITHOUT_DIGITS)):
        return False
    # 080-0000-0000 is a mobile, 0800-000-0000 is not.
    if number.startswith(_SERVICE) and len(groups[0]) != 3:
        return lengths in _SERVICE_GROUPS and (len(number) == 11) == number.startswith("0800")
    if _MOBILE_OR_IP.fullmatch(number):
        return lengths in _MOBILE_GROUPS or value.startswith("+")
    if len(number) != 10 or (lengths not in _LANDLINE_GROUPS and not value.startswith("+")):
        return False
    if len(groups) == 1:
        # 0123456789 is rarely a number of Chitose, whose area code is 0123.
        return (number != "0123456789" or _LABEL.search(before(match)) is not None) and _is_landline(number[:6])
    area = len(groups[0])
    return _is_landline((number[:area] + number[area].replace("0", "2") + number[area + 1 :])[:6])


def national_groups(value: str) -> list[str]:
    """The groups of digits of a Japanese number in its national form: +81 (0)90 1234 5678 gives 090, 1234, 5678."""
    groups = re.findall("[0-9]+", value)
    if value.startswith("+"):
        groups[0] = groups[0].removeprefix("81")
        groups = [group for group in groups if group not in ("", "0")]
        groups[0] = "0" + groups[0].removeprefix("0")
    return groups


_WITHOUT_DIGITS = {ord(digit): "0" for digit in "123456789"}


# Bounded; with zeros for all digits, there are a few dozen ways of writing numbers.
@functools.lru_cache(maxsize=4096)
def _are_separators(written: str) -> bool:
    """Whether the signs between the groups go together; `written` is a number with zeros for all digits."""
    separators = set(re.findall("[^0+]+", written))
    return separators <= _SEPARATORS and not ("." in separators and len(separators) > 1)


def is_business_telephone(match: re.Match[str]) -> bool:
    """A service number, or a landline or IP telephone near a word for a firm or office."""
    number = "".join(national_groups(match["value"]))
    return number.startswith(_SERVICE) or (not re.match("0[6-9]0", number) and is_near_business(match))


def _stands_free(match: re.Match[str]) -> bool:
    """Not the end of a number or of a code such as AB-0312345678, and, if without groups, not a part of a path or a word."""
    start, end = match.span("value")
    if re.search("[0-9][-.]?$", match.string[max(start - 2, 0) : start]):
        return False
    touching = re.search("([A-Za-z]{1,12})-?$", match.string[max(start - 13, 0) : start])
    if touching and not touching[1].lower().endswith(("tel", "fax", "phone", "mobile")):
        return False
    return not match["value"].isdigit() or (
        match.string[start - 1 : start] not in tuple("/=_&?#%-.,") and not re.match("[A-Za-z_/=%]", match.string[end : end + 1])
    )


# Bounded, but larger than the number of 6-digit beginnings in one part of a corpus.
@functools.lru_cache(maxsize=65536)
def _is_landline(beginning: str) -> bool:
    """Whether a 10-digit number that begins with these 6 digits is in the plan, which ignores the last 4."""
    return _is_valid(beginning + "1234", "JP")


def _is_valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
