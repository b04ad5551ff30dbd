"""The table of the kinds of personal data: how each is written, checked and masked, and which of it is public business data.

Edits, manifest and ledger use these names. The patterns are in `patterns`, the checks in `telephone` and `checks`.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipeline.pii import checks as check
from pipeline.pii import context, telephone
from pipeline.pii import patterns as written
from pipeline.pii.labels import LABELS


class Shape(NamedTuple):
    """One way of writing a kind."""

    pattern: re.Pattern[str]
    is_valid: Callable[[re.Match[str]], bool]
    words: tuple[str, ...] = ()  # every match contains one of them; a search for them is cheaper than the pattern
    screens: tuple[
        re.Pattern[str], ...
    ] = ()  # every match contains a match of one of them; cheap, because each starts with a literal
    anchor: re.Pattern[str] | None = None  # where to try the pattern: at its end, if its start is costly to find
    not_after: re.Pattern[str] | None = None  # must not end where the value begins, unless it belongs to the match before

    def matches(self, searched: str) -> Iterator[re.Match[str]]:
        """The valid matches in the shadow of a text, from left to right, without overlaps."""
        if not self.may_match(searched):
            return
        candidates = self.pattern.finditer(searched) if self.anchor is None else self._anchored(searched, self.anchor)
        valid = filter(self.is_valid, candidates)
        yield from valid if self.not_after is None else self._apart(valid, self.not_after)

    def may_match(self, searched: str) -> bool:
        """Whether the shadow of a text contains what every match contains."""
        if self.words and not any(word in searched for word in self.words):
            return False
        return not self.screens or any(screen.search(searched) for screen in self.screens)

    def _anchored(self, searched: str, anchor: re.Pattern[str]) -> Iterator[re.Match[str]]:
        past = 0
        for found in anchor.finditer(searched):
            match = self.pattern.match(searched, written.start_of_local_part(searched, past, found.start()))
            if match:
                past = match.end()
                yield match

    def _apart(self, valid: Iterator[re.Match[str]], not_after: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The matches that do not follow `not_after`, and those directly after one of these."""
        past = 0
        for match in valid:
            start = match.start("value")
            if not not_after.search(match.string, max(past, start - 2), start):
                past = match.end("value")
                yield match


class Kind(NamedTuple):
    """One row of the table."""

    name: str
    mask: str
    is_business: Callable[[re.Match[str]], bool]
    shapes: tuple[Shape, ...]
    is_number: bool = False  # has at least seven digits: a text without `SEVEN_DIGITS` has none


# If a span could be of two kinds, the first of the table wins. The masks are Japanese nouns in full-width brackets: they read as
# text, are the same for all matches of a kind, contain nothing that a pattern could match again and, unlike <PHONE>, look
# neither like markup nor like a control token.
KINDS = (
    Kind(
        "email",
        "［メールアドレス］",
        check.is_role_address,
        (
            Shape(written.EMAIL, check.is_email, ("@", "★", "☆"), anchor=written.AT_AND_LABEL),
            Shape(written.EMAIL_WITH_WORD, check.is_email, screens=written.AT_WORDS, anchor=written.AT_WORD_AND_LABEL),
        ),
    ),
    Kind(
        "card",
        "［カード番号］",
        context.is_never_business,
        (
            Shape(written.CARD_IN_GROUPS, check.is_card, not_after=written.NUMBER_AND_SEPARATOR),
            Shape(written.CARD_WITH_LABEL, check.is_card, LABELS.card.words),
        ),
        is_number=True,
    ),
    Kind(
        "my_number",
        "［個人番号］",
        context.is_never_business,
        (
            Shape(written.MY_NUMBER_WITH_LABEL, check.is_my_number, LABELS.my_number.words),
            Shape(written.MY_NUMBER_IN_GROUPS, check.is_my_number_without_label),
        ),
        is_number=True,
    ),
    Kind(
        "bank_account",
        "［口座番号］",
        context.is_never_business,
        (
            Shape(written.ACCOUNT_WITH_TYPE, check.is_account_number, LABELS.account.words),
            Shape(written.ACCOUNT_AT_BRANCH, check.is_account_number, LABELS.branch.words),
            Shape(written.ACCOUNT_AT_POST_BANK, check.is_account_number, LABELS.post_bank.words),
        ),
        is_number=True,
    ),
    Kind(
        "phone",
        "［電話番号］",
        telephone.is_business_telephone,
        (
            Shape(written.TELEPHONE_IN_GROUPS, telephone.is_telephone),
            Shape(written.TELEPHONE_WITHOUT_GROUPS, telephone.is_telephone),
            Shape(written.TELEPHONE_ABROAD, telephone.is_telephone),
        ),
        is_number=True,
    ),
    Kind(
        "postal_code",
        "［郵便番号］",
        context.is_near_business,
        (
            Shape(written.POSTAL_CODE_WITH_MARK, check.is_certain),
            Shape(written.POSTAL_CODE_WITH_LABEL, check.is_certain),
            Shape(written.POSTAL_CODE_BEFORE_PLACE, check.is_certain),
        ),
        is_number=True,
    ),
    Kind(
        "postal_address",
        "［番地］",
        context.is_near_business,
        (
            Shape(written.HOUSE_NUMBER, check.is_house_number, written.ENDS_OF_PLACES),
            Shape(written.HOUSE_NUMBER_IN_KANJI, check.is_house_number_in_kanji, ("丁目",)),
        ),
    ),
    Kind(
        "ip_address",
        "［IPアドレス］",
        context.is_never_business,
        (
            Shape(written.IPV4, check.is_global_ipv4, screens=(written.THREE_DOTS_BETWEEN_DIGITS,)),
            Shape(written.IPV6, check.is_global_ipv6, screens=(written.FIRST_GROUP_OF_IPV6,)),
        ),
    ),
)
