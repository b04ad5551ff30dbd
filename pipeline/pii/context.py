"""What the words near a match say about it: labels before it, and whether it is the public data of a firm or office."""

import re

# Within how many characters before a match its label must be: お電話でのご予約・お問い合わせ： has 16.
LABEL_REACH = 20


def before(match: re.Match[str], reach: int = LABEL_REACH) -> str:
    """The last `reach` characters, at most, before the group `value` on its line."""
    start = match.start("value")
    return match.string[max(start - reach, 0) : start].rpartition("\n")[2]


_OTHER_NUMBER = re.compile(
    "(?:(?:商品|製品|注文|伝票|会員|顧客|管理|整理|登録|受付|合わせ|追跡|受注|予約|シリアル|証券|学籍|社員|申込|図書|資料|識別|出願|特許|機種)"
    "(?:番号|コード|No\\.?|ID)|品番|型番|型式|ISBN|ISSN|JAN|コード|ID)[ \t:.#()は「]{0,4}$"
)


def is_labelled_otherwise(match: re.Match[str]) -> bool:
    """A word for orders, products, members or books directly precedes: 注文番号：…"""
    return _OTHER_NUMBER.search(before(match)) is not None


_BUSINESS_WORDS = re.compile(
    "会社|\\(株\\)|\\(有\\)|㈱|㈲|法人|本社|支社|支店|本店|営業所|事業所|事務所|事務局|店舗|工場|窓口|代表|本部|センター|役所|役場"
    "|大学|学校|病院|医院|クリニック|ホテル|旅館|協会|組合|財団|編集部|広報|お客様|問い?合わ?せ|営業時間|定休日|所在地"
    "|(?i:tel|fax|inc\\.|co\\., ?ltd)"
)
_PRIVATE_WORDS = re.compile("自宅|氏名|様|個人(?!番号)|携帯|私の|実家")
# The name, postal code, address and number of a firm are on neighbouring lines of some 20 to 40 characters.
BUSINESS_REACH = 100


def is_near_business(match: re.Match[str]) -> bool:
    """A word for a firm or office is within 100 characters before, or after on the line, and no private word is on the line."""
    start, end = match.span("value")
    after = match.string[end : end + BUSINESS_REACH].partition("\n")[0]
    before = match.string[max(start - BUSINESS_REACH, 0) : start]
    if _PRIVATE_WORDS.search(before.rpartition("\n")[2]) or _PRIVATE_WORDS.search(after):
        return False
    return _BUSINESS_WORDS.search(before) is not None or _BUSINESS_WORDS.search(after) is not None


def is_never_business(_match: re.Match[str]) -> bool:
    """For kinds that are never public contact data."""
    return False
