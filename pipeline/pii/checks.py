"""What a pattern cannot express about personal data: check digits, known prefixes, ranges of addresses, names of places.

A check takes a match of one of the `patterns` on the shadow of a text and returns whether it is what it looks like.
"""

import functools
import ipaddress
import re

from publicsuffixlist import PublicSuffixList
from stdnum import luhn
from stdnum.jp import in_ as my_number

from pipeline.pii.context import before, is_labelled_otherwise
from pipeline.pii.labels import LABELS
from pipeline.pii.patterns import (
    BEFORE_HOUSE_NUMBER,
    BLOCK_NUMBER,
    LABELLED_PLACE,
    MUNICIPALITY,
    NO_MUNICIPALITY,
    PREFECTURES,
    UNLABELLED_PLACE,
)


def is_certain(_match: re.Match[str]) -> bool:
    """For patterns whose label is sufficient proof."""
    return True


# --- e-mail ---------------------------------------------------------------------------------------------------------------

_OBFUSCATED_DOT = re.compile(r" ?[\[(［<] ?(?:dot|DOT|\.|ドット) ?[\])］>] ?|ドット")
# Top levels that are reserved for examples and tests (RFC 2606, RFC 6761): not public suffixes, but addresses nevertheless.
_RESERVED_TOP_LEVELS = frozenset({"example", "test", "invalid"})
# Names of algorithms have the form of an address, name@domain (RFC 4251, section 6), and ssh has a user of the name git.
_ALGORITHM_DOMAINS = frozenset({"openssh.com", "libssh.org"})
# In "see you @ example.com" the sign is a word; "E-mail taro @ example.com" is an address.
_ENGLISH_BEFORE = re.compile(r"(?<![A-Za-z])(?!(?i:e?-?mail|mail to|address|contact) $)(?!(?i:mail) )[A-Za-z']+ $")
_MAILING_LIST = re.compile(r"(?:lists?|ml|groups|googlegroups)\.")
_ROLES = re.compile(
    r"(?:info|information|contact|contactus|inquiry|enquiry|toiawase|otoiawase|mail|office|jimu|jimukyoku|support|help|helpdesk|desk"
    r"|customer|cs|service|sales|eigyo|shop|order|orders|store|reserve|yoyaku|press|pr|koho|kouhou|media|marketing|recruit|saiyo"
    r"|saiyou|jinji|hr|soumu|admin|administrator|webmaster|postmaster|hostmaster|root|abuse|security|privacy|legal|billing"
    r"|accounts?|no-?reply|do-?not-?reply|newsletter|news|editor|henshu|hello|team|staff)(?:[-_.+]?[a-z]{0,3}[0-9]{0,3})"
)


@functools.cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


def is_email(match: re.Match[str]) -> bool:
    """The domain has a known top level, unlike icon@2x.png, and the name is not that of a user or algorithm."""
    domain = _OBFUSCATED_DOT.sub(".", match["domain"]).lower()
    if match.string.endswith("://", 0, match.start("value")) or domain in _ALGORITHM_DOMAINS or match["local"] == "git":
        return False
    sign = match.string[match.end("local") : match.start("domain")]
    if sign == " @ " and _ENGLISH_BEFORE.search(before(match)):
        return False
    if domain.rpartition(".")[2] in _RESERVED_TOP_LEVELS:
        return True
    return _is_registrable(domain)


# Bounded, but larger than the number of domains in one part of a corpus; a look-up costs more than the match.
@functools.lru_cache(maxsize=65536)
def _is_registrable(domain: str) -> bool:
    """Whether the domain, or one above it, can be registered."""
    return _public_suffixes().privatesuffix(domain) is not None


def is_role_address(match: re.Match[str]) -> bool:
    """An address of an office, such as info@ or support@, or of a mailing list."""
    return _ROLES.fullmatch(match["local"].lower()) is not None or _MAILING_LIST.match(match["domain"].lower()) is not None


# --- numbers --------------------------------------------------------------------------------------------------------------

_YEAR = re.compile("(?:19|20)[0-9]{2}")


def is_my_number(match: re.Match[str]) -> bool:
    """The check digit of the 個人番号 is right."""
    return my_number.is_valid(re.sub("[^0-9]", "", match["value"]))


def is_my_number_without_label(match: re.Match[str]) -> bool:
    """The check digit is right, and the groups are not three years and not labelled as another number.

    Of random numbers, one in ten still passes.
    """
    is_years = all(map(_YEAR.fullmatch, re.findall("[0-9]+", match["value"])))
    return not is_years and is_my_number(match) and not is_labelled_otherwise(match)


# Prefixes and lengths of the networks. 13 digits are left out: no card has 13 digits today, but Japanese article numbers
# (JAN, 45… and 49…) and corporate numbers do.
_CARD_NETWORKS = re.compile(
    "4(?:[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    "|35(?:2[89]|[3-8][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}"
    "|62[0-9]{14,17}"
)


def is_card(match: re.Match[str]) -> bool:
    """A prefix and length that a card network uses, with the check digit of Luhn."""
    digits = re.sub("[^0-9]", "", match["value"])
    return _CARD_NETWORKS.fullmatch(digits) is not None and luhn.is_valid(digits)


_COUNTED = re.compile("[0-9人円個件名本枚台頭回年月日万億千%％倍点位歳株]|[,.][0-9]")


def is_account_number(match: re.Match[str]) -> bool:
    """The digits do not count anything: 口座 1234567, but not 口座 1234567件."""
    return not _COUNTED.match(match.string, match.end("value"))


# --- addresses of houses and machines -------------------------------------------------------------------------------------

# A postal code or a telephone number without its area code.
_LOCAL_NUMBER = re.compile("[0-9]{3}-[0-9]{4}")
_QUANTITY = re.compile("[年月日時分秒人円個件名回点勝敗対歳才位度倍割%％~〜～]")
# Prefecture, municipality and town: 30 characters of town and the longest prefecture.
_PLACE_REACH = 40
# Instead of a prefecture a label of up to 4 characters and a postal code of up to 12, with gaps of up to 4 after each.
_LABEL_REACH = 60
_PARTICLES = tuple("はがをにでとも")


def is_house_number(match: re.Match[str]) -> bool:
    """A place precedes on the line, and the number does not count anything.

    A place is a prefecture with a municipality, or a known city; any municipality after a label or a postal code; any
    municipality and town, if the number is a whole block number.
    """
    place = BEFORE_HOUSE_NUMBER.search(before(match, _PLACE_REACH))
    if not place:
        return _is_in_a_municipality(match)
    if _LOCAL_NUMBER.fullmatch(match["value"]) or _QUANTITY.match(match.string, match.end("value")):
        return False
    if place["town"][-1:] in _PARTICLES:
        return False
    return not re.fullmatch(PREFECTURES, place["prefecture"]) or re.search("[市区町村郡]", place["town"]) is not None


def is_house_number_in_kanji(match: re.Match[str]) -> bool:
    """As `is_house_number`, for a number after 丁目."""
    return BEFORE_HOUSE_NUMBER.search(before(match, _PLACE_REACH)) is not None or _is_in_a_municipality(match, is_whole=True)


def _is_in_a_municipality(match: re.Match[str], is_whole: bool = False) -> bool:
    """Whether a municipality without its prefecture precedes; `is_whole`: the number is known to be a whole block number."""
    if _LOCAL_NUMBER.fullmatch(match["value"]) or _QUANTITY.match(match.string, match.end("value")):
        return False
    place = LABELLED_PLACE.search(before(match, _LABEL_REACH))
    if place and re.search(MUNICIPALITY, place["town"]) and place["town"][-1:] not in _PARTICLES:
        return True
    place = UNLABELLED_PLACE.search(before(match, _PLACE_REACH))
    if not place or NO_MUNICIPALITY.search(place["name"]):
        return False
    return is_whole or BLOCK_NUMBER.fullmatch(match["value"]) is not None


_PART_OF_WORD = re.compile("(?:[0-9A-Za-z_.]|[A-Za-z]-)$")
_VERSION_LABEL = re.compile(r"(?:[Vv]er(?:sion)?|バージョン|[Vv]|[Rr]ev(?:ision)?|リリース|第|§|[A-Za-z]/|節|章)[ .:]{0,2}$")
_SECTION_TAIL = re.compile(r"[ ]?(?:節|章|項|版|系|以降|以前|/[0-9])")
# A label in Latin letters is a word of its own: "ip" is, that of "skip" is not.
_IP_WORDS = "|".join(f"(?<![A-Za-z]){word}(?![A-Za-z])" if word.isascii() else word for word in LABELS.ip_address.words)
_IP_LABEL = re.compile(f"(?:{_IP_WORDS}){LABELS.ip_address.gap.expression}$")


def is_global_ipv4(match: re.Match[str]) -> bool:
    """An address that the internet routes, and not a version or section number.

    Versions begin with a one-digit number, and section numbers consist of four small ones. So without a label, the address must
    begin with a number of two or more digits and contain one of three digits.
    """
    value, label = match["value"], before(match)
    if _PART_OF_WORD.search(label) or _VERSION_LABEL.search(label) or _SECTION_TAIL.match(match.string, match.end("value")):
        return False
    if (value[1] == "." or not re.search("[0-9]{3}", value)) and not _IP_LABEL.search(label):
        return False
    return _is_global(value)


def is_global_ipv6(match: re.Match[str]) -> bool:
    """An address that the internet routes."""
    return _is_global(match["value"])


def _is_global(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast
