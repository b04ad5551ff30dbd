"""The words that make a number personal data: 口座 before seven digits, カード before sixteen.

Each word is entered here once. The patterns are built from `LABELS`, the kinds take from it what a text must hold, and the screen
takes from it which characters it looks for before a number, and how far. All words are written as the shadow of a text writes
them, and a gap holds no digits unless its label says so.
"""

from typing import NamedTuple

from pipeline.pii.context import LABEL_REACH


class Gap(NamedTuple):
    """What may stand between a label and its number."""

    expression: str
    characters: int  # that it takes at most


class Label(NamedTuple):
    """Words of which one precedes a number, and the gap between them. The screen looks for a word's last character only."""

    words: tuple[str, ...]
    gap: Gap

    @property
    def expression(self) -> str:
        """One of the words, and the gap."""
        return f"(?:{'|'.join(self.words)}){self.gap.expression}"


class Labels(NamedTuple):
    """All labels without which a number is none, each entered once: patterns, kinds and screen are built from them."""

    my_number: Label
    card: Label
    account: Label
    branch: Label
    post_bank: Label
    postal_mark: Label
    postal_code: Label
    ip_address: Label


def _up_to(most: int, inside: str) -> Gap:
    """Up to `most` of the characters in a bracket."""
    return Gap(f"[{inside}]{{0,{most}}}+", most)


def _longest(words: tuple[str, ...]) -> int:
    return max(map(len, words))


_NO_DIGITS = "^0-9\n［］"
_FAR = _up_to(LABEL_REACH, _NO_DIGITS)
_TWELVE, _AFTER_TWELVE = "12桁", _up_to(5, _NO_DIGITS)
_NEAR = _up_to(4, " \t:()「」【】|/、,.=#\\-はが")
_ACCOUNT_WORDS = ("番号", "普通", "当座", "貯蓄", "預金", "貯金", "口座", "No", "NO", "№")
_POST_BANK_WORDS = ("番号", "口座", "銀行")
LABELS = Labels(
    my_number=Label(
        ("マイナンバー", "個人番号", "My Number", "my number", "MyNumber"),
        Gap(
            f"{_FAR.expression}(?:{_TWELVE}{_AFTER_TWELVE.expression})?",
            _FAR.characters + len(_TWELVE) + _AFTER_TWELVE.characters,
        ),
    ),
    card=Label(("カード", "クレカ", "VISA", "Visa", "JCB", "AMEX", "Amex", "Diners", "card", "Card"), _FAR),
    account=Label(
        ("普通", "当座", "貯蓄", "口座"),
        Gap(
            f"{_NEAR.expression}(?:(?:{'|'.join(_ACCOUNT_WORDS)}){_NEAR.expression}){{0,3}}+",
            _NEAR.characters + 3 * (_longest(_ACCOUNT_WORDS) + _NEAR.characters),
        ),
    ),
    branch=Label(("支店", "出張所", "営業部", "振込先"), _FAR),
    post_bank=Label(
        ("記号", "ゆうちょ", "郵便貯金", "振替", "口座", "加入者番号"),
        Gap(f"(?:[ \t:()「」、・はが]|{'|'.join(_POST_BANK_WORDS)}){{0,8}}+", 8 * _longest(_POST_BANK_WORDS)),
    ),
    postal_mark=Label(("〒",), _up_to(1, " ")),
    postal_code=Label(("郵便番号",), _up_to(4, " \t:()は")),
    ip_address=Label(
        (
            *("IP", "ip", "Ping", "ping", "PING", "DNS", "Host", "host", "Hostname", "hostname", "from"),
            "アドレス",
            "サーバ",
            "ホスト",
        ),
        _up_to(10, _NO_DIGITS),
    ),
)
