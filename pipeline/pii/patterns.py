r"""How personal data is written: patterns over the shadow of a text (`shadow`); the group `value` is what is masked.

They use no `\b` and no `\w`, for which kana and kanji are word characters, and `[0-9]` instead of `\d`. So that a search takes
linear time, repetitions are bounded, their parts cannot match the same characters, and they are possessive where that saves
steps. If possible, a pattern begins with a literal or a set, to which a search skips, and looks back only after that. Labels do
not reach over ［ or ］: a mask is not the label of the number after it.
"""

import re

from pipeline.pii.labels import LABELS

# --- e-mail ---------------------------------------------------------------------------------------------------------------

_LOCAL_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
_LOCAL = "[A-Za-z0-9._%+\\-]"
_LONGEST_LOCAL = 64  # RFC 5321, section 4.5.3.1.1
AT_SIGNS = "@★☆"
_AT = f"[{AT_SIGNS}](?:マーク|(?<=@) )?"
OPENING, CLOSING = "[(［<", "])］>"
_OPEN, _CLOSE = f"[{re.escape(OPENING)}]", f"[{re.escape(CLOSING)}]"
# What is written in brackets for an @.
WORDS_FOR_AT = ("at", "AT", "@", "アットマーク", "アット", "あっと")
_AT_WORD = f"(?:{_OPEN} ?(?:{'|'.join(WORDS_FOR_AT)}) ?{_CLOSE} ?|アットマーク)"
_DOT = f"(?:\\.| ?{_OPEN} ?(?:dot|DOT|\\.|ドット) ?{_CLOSE} ?|ドット)"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?"
_DOMAIN = f"{_LABEL}(?:{_DOT}{_LABEL}){{1,8}}"
# The host of an ssh remote is followed by a path.
_DOMAIN_ENDS = "(?![A-Za-z0-9])(?!:[A-Za-z0-9._~\\-]{1,100}/)"


def _email(at: str) -> re.Pattern[str]:
    # Dots at the end and in a row are allowed: mobile carriers assigned such addresses. A Mastodon handle has an @ before it.
    return re.compile(
        f"(?<![A-Za-z0-9._%+\\-@])[.%+\\-]*+(?P<value>(?P<local>[A-Za-z0-9_]{_LOCAL}{{0,{_LONGEST_LOCAL - 1}}}+) ?{at}"
        f"(?P<domain>{_DOMAIN})){_DOMAIN_ENDS}"
    )


EMAIL = _email(_AT)
EMAIL_WITH_WORD = _email(_AT_WORD)
# What a search for addresses looks for; from there it goes back to the start of the local part. Each attempt costs more than
# searching a hundred characters, so it is made only if a domain follows, whose last label has two letters.
_FIRST_LABEL = f"[A-Za-z0-9][A-Za-z0-9\\-]{{0,62}}+(?={_DOT}[A-Za-z0-9](?:[A-Za-z0-9\\-]|{_DOT}))"
AT_AND_LABEL = re.compile(f"{_AT}{_FIRST_LABEL}")
AT_WORD_AND_LABEL = re.compile(
    f"[{re.escape(OPENING)}ア](?:(?<!ア) ?(?:{'|'.join(WORDS_FOR_AT)}) ?{_CLOSE} ?|(?<=ア)ットマーク){_FIRST_LABEL}"
)

# Every match of AT_WORD_AND_LABEL contains one of these; a search for them skips to their first letter.
AT_WORDS = tuple(re.compile(word) for word in ("アット", "あっと", f"at ?{_CLOSE}", f"AT ?{_CLOSE}", f"@ ?{_CLOSE}"))


def start_of_local_part(searched: str, first: int, end: int) -> int:
    """Where the local part that ends at `end`, or one space before it, begins; not before `first`."""
    head = searched[max(first, end - _LONGEST_LOCAL - 2) : end].removesuffix(" ")
    return max(first, end - _LONGEST_LOCAL - 2) + len(head.rstrip(_LOCAL_CHARACTERS))


# --- numbers in general ----------------------------------------------------------------------------------------------------

# What all numbers have and most texts lack: seven digits close together, the fewest of a postal code or an account.
SEVEN_DIGITS = re.compile("[0-9](?:[^0-9\n]{0,5}+[0-9]){6}")


def lines_with_numbers(searched: str) -> str:
    """The lines of a shadow with a match of `SEVEN_DIGITS`, joined by line feeds."""
    lines = []
    position = 0
    while match := SEVEN_DIGITS.search(searched, position):
        start, end = searched.rfind("\n", 0, match.start()) + 1, searched.find("\n", match.end())
        position = end if end >= 0 else len(searched)
        lines.append(searched[start:position])
    return "\n".join(lines)


# --- telephone ------------------------------------------------------------------------------------------------------------

# The check of each match decides which separators go together, and what may precede the number.
_NUMBER_ENDS = "(?![-.]?[0-9])"
_LINE = "(?:[0-9]{1,4}+[-.) ][-) ]{0,2}+[0-9]{3,4}+|[0-9]{5,8}+)"
TELEPHONE_IN_GROUPS = re.compile(
    f"(?P<value>0(?<![0-9].)[0-9]{{1,4}}+[-.( ][-( ]{{0,2}}+{_LINE}|\\(0[0-9]{{1,4}}+\\)[- ]{{0,3}}+{_LINE}){_NUMBER_ENDS}"
)
TELEPHONE_WITHOUT_GROUPS = re.compile(f"(?P<value>0(?<![0-9].)[0-9]{{9,10}}+){_NUMBER_ENDS}")
TELEPHONE_ABROAD = re.compile(
    "(?P<value>\\+(?<![0-9A-Za-z+].)"
    "(?:81[- ]?(?:\\(0\\)[- ]?|0)?[1-9][0-9]{0,3}+[-. )(]{1,2}+[0-9]{1,4}+[-. )]{1,2}+[0-9]{4}"
    "|81[- ]?0?[1-9][0-9]{8,9}+"
    "|(?!81)[1-9][0-9]{0,2}+(?:[-. ()]{1,2}+[0-9]{2,5}+){2,5}|(?!81)[1-9][0-9]{9,14}+))(?![0-9])"
)

# --- numbers with labels or check digits ----------------------------------------------------------------------------------

_NOT_IN_WORD = "(?<![0-9A-Za-z].{5})(?<![A-Za-z]-.{5})"
_NOT_IN_GROUPS = f"{_NOT_IN_WORD}(?<![0-9][- ].{{5}})"
MY_NUMBER_WITH_LABEL = re.compile(
    f"{LABELS.my_number.expression}(?P<value>[0-9]{{4}}([- ]?)[0-9]{{4}}\\2[0-9]{{4}})(?![0-9]|\\2[0-9]{{4}}(?![0-9年]))"
)
MY_NUMBER_IN_GROUPS = re.compile(
    f"(?P<value>[0-9](?<![0-9].)[0-9]{{3}}([- ]){_NOT_IN_GROUPS}[0-9]{{4}}\\2[0-9]{{4}})(?![0-9]|\\2[0-9])"
)
# NUMBER_AND_SEPARATOR excludes a card within a longer row of groups. In a row of cards each match sets the next one free, and a
# pattern that looked back would find only one per round.
NUMBER_AND_SEPARATOR = re.compile("[0-9][- ]$")
CARD_IN_GROUPS = re.compile(
    f"(?P<value>[2-6](?<![0-9].)[0-9]{{3}}([- ]){_NOT_IN_WORD}"
    "(?:[0-9]{4}\\2[0-9]{4}\\2[0-9]{4}(?:\\2[0-9]{3})?|[0-9]{6}\\2[0-9]{4,5}))(?!-?[0-9])"
)
CARD_WITH_LABEL = re.compile(f"{LABELS.card.expression}(?P<value>[0-9]{{14,19}}+)(?![0-9])")
ACCOUNT_WITH_TYPE = re.compile(f"{LABELS.account.expression}(?P<value>[0-9]{{7}})(?![0-9])")
ACCOUNT_AT_BRANCH = re.compile(f"{LABELS.branch.expression}(?P<value>[0-9]{{7}})(?![0-9])")
ACCOUNT_AT_POST_BANK = re.compile(
    f"{LABELS.post_bank.expression}"
    "(?P<value>[01][0-9]{4}(?:-[0-9]-| ?- ?|[ \t、,/()]{0,3}番号[ \t:()はが]{0,3}| )[0-9]{1,8}+)(?![-0-9])"
)

# --- places ---------------------------------------------------------------------------------------------------------------

PREFECTURES = (
    "北海道|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|埼玉県|千葉県|東京都|神奈川県|新潟県|富山県|石川県|福井県"
    "|山梨県|長野県|岐阜県|静岡県|愛知県|三重県|滋賀県|京都府|大阪府|兵庫県|奈良県|和歌山県|鳥取県|島根県|岡山県|広島県|山口県|徳島県"
    "|香川県|愛媛県|高知県|福岡県|佐賀県|長崎県|熊本県|大分県|宮崎県|鹿児島県|沖縄県"
)
# Cities and wards that are written without their prefecture: those designated by ordinance, and the 23 wards of Tokyo.
KNOWN_CITIES = (
    "札幌市|仙台市|さいたま市|千葉市|横浜市|川崎市|相模原市|新潟市|静岡市|浜松市|名古屋市|京都市|大阪市|堺市|神戸市|岡山市|広島市"
    "|北九州市|福岡市|熊本市|千代田区|中央区|港区|新宿区|文京区|台東区|墨田区|江東区|品川区|目黒区|大田区|世田谷区|渋谷区|中野区"
    "|杉並区|豊島区|北区|荒川区|板橋区|練馬区|足立区|葛飾区|江戸川区"
)
POSTAL_CODE_WITH_MARK = re.compile(f"{LABELS.postal_mark.expression}(?P<value>[0-9]{{3}} ?-? ?[0-9]{{4}})(?![0-9])")
POSTAL_CODE_WITH_LABEL = re.compile(f"{LABELS.postal_code.expression}(?P<value>[0-9]{{3}}-?[0-9]{{4}})(?![0-9])")
POSTAL_CODE_BEFORE_PLACE = re.compile(
    "(?P<value>[0-9][0-9]{2}-(?<![0-9A-Za-z].{4})(?<![0-9A-Za-z][-.].{4})[0-9]{4})"
    f"(?= {{0,2}}(?:{PREFECTURES}|{KNOWN_CITIES}))"
)

_NUMBER = "[1-9][0-9]{0,4}+"
TOWN = "\u3041-\u3096\u30a1-\u30fa\u30fc\u3005-\u3007\u3400-\u9fff\uf900-\ufaff"
# A floor or room after the number, with the name of the building between them. A bare number is a room after a word for a house.
_HOUSES = "コーポ|ハイツ|ハイム|メゾン|マンション|アパート|レジデンス|パレス|ビル|荘"
_AFTER_HOUSE = "|".join(f"(?<={house})" for house in _HOUSES.split("|"))
_ROOM = f"(?:[ 、]?[{TOWN}A-Za-z・]{{0,20}}+(?: ?[0-9]{{1,4}}(?:号室|号|階|F)|(?:{_AFTER_HOUSE}) ?[0-9]{{3,4}}(?![0-9-])))?"
HOUSE_NUMBER = re.compile(
    f"(?P<value>[1-9](?<![!-~番号].)(?=[0-9]{{0,4}}+[丁番のノ-])(?:(?<=[{TOWN}].)|(?<=[{TOWN}] .))"
    # In Sapporo a block has no further number: 北1条西2丁目.
    f"(?:[0-9]?丁目 ?{_NUMBER}(?:番地?の?|[-のノ])?(?:{_NUMBER}(?:[-のノ]{_NUMBER})?号?)?"
    f"|[0-9]{{0,4}}+(?:番地(?:[のノ-]?{_NUMBER}号?)?|番{_NUMBER}号?|(?:[-のノ]{_NUMBER}){{1,4}}(?:番地|番|号)?)"
    f"|(?<=条[東西南北].)[0-9]?丁目){_ROOM})(?![0-9])"
)
KANJI_DIGITS = "一二三四五六七八九十〇百"
_KANJI_NUMBER = f"[{KANJI_DIGITS}]{{1,4}}"
HOUSE_NUMBER_IN_KANJI = re.compile(f"丁目(?P<value>{_KANJI_NUMBER}番地?(?:の?{_KANJI_NUMBER}号?)?)")
_LONGEST_TOWN = 30
# What precedes a house number; Hokkaido counts streets (北1条西2丁目), Iwate lots (第5地割12番地).
BEFORE_HOUSE_NUMBER = re.compile(
    f"(?P<prefecture>{PREFECTURES}|{KNOWN_CITIES})"
    f"(?P<town>[{TOWN} ]{{0,{_LONGEST_TOWN}}}(?:[0-9]{{1,2}}(?:条(?:[東西南北]|通)?|地割))?)$"
)
# The same without a prefecture. A label or a postal code, also a masked one, is enough for any municipality; without one, its
# name must be a name and the number a whole block number. A town without kanji or katakana is the rest of a sentence.
_GAP = "[ \\t:()「」【】/|、,はが-]{0,4}+"
_POSTAL_CODE = "(?:〒? ?[0-9]{3} ?-? ?[0-9]{4}|〒? ?［{1,12}+(?:郵便番号］)?)"
_NUMBERED = "(?:[0-9]{1,2}(?:条(?:[東西南北]|通)?|地割))?"
LABELLED_PLACE = re.compile(
    f"(?:(?:〒|住所|所在地?|連絡先|届け?先|送り先|送付先|宛先|本籍地?|郵便番号){_GAP}(?:{_POSTAL_CODE}{_GAP})?|{_POSTAL_CODE}{_GAP})"
    f"(?P<town>[{TOWN} ]{{0,{_LONGEST_TOWN}}}{_NUMBERED})$"
)
MUNICIPALITY = "[市区町村郡]"
_KANJI = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaffヶケヵノ"
# Cities whose names have no kanji.
_CITIES_IN_KANA = (
    "あま|あわら|いすみ|いちき串木野|いなべ|いわき|うきは|うるま|えびの|おおい|かすみがうら|かほく|さくら|さぬき|たつの|つがる|つくば|つくばみらい"
    "|にかほ|ひたちなか|みどり|みやま|みよし|むつ|南アルプス"
)
UNLABELLED_PLACE = re.compile(
    f"(?P<name>(?:[{_KANJI}]{{1,6}}|{_CITIES_IN_KANA})市|[{_KANJI}]{{1,4}}区|[{_KANJI}]{{1,4}}郡[{_KANJI}]{{1,6}}[町村])"
    f"(?P<town> ?[{_KANJI}\u30a1-\u30fa\u30fc][{_KANJI}\u30a1-\u30fa\u30fcの ]{{0,24}}{_NUMBERED})$"
)
# Words that end as municipalities do.
NO_MUNICIPALITY = re.compile(
    "(?:(?<![京西])都|^[同各全当本他朝夜楽闇]|見本|骨董|青空|植木|陶器|直売|古本|政令|中核|特例|株式|先物|為替)市$"
    "|(?:地|学|校|選挙|教|鉱|漁|管|猟|保護|特|各|全|同|当|本|行政|市町村|[0-9一二三四五六七八九十])区$"
)
BLOCK_NUMBER = re.compile(
    "[0-9]{1,2}丁目 ?[0-9]+.*|[0-9]+番(?:地.*|[0-9]+.*)|[0-9]{1,3}(?:[-のノ][0-9]{1,4}){2,4}(?![0-9]).*|.*(?:号室|階)"
)
# How many characters are between the name of a place and its house number at most.
PLACE_REACH = _LONGEST_TOWN + len("12条西")
PLACES = tuple(f"{KNOWN_CITIES}|{PREFECTURES}".split("|"))
# Every match of BEFORE_HOUSE_NUMBER holds one of these, and every place without a prefecture.
ENDS_OF_PLACES = tuple(dict.fromkeys([*(place[-1] for place in PLACES), *MUNICIPALITY.strip("[]")]))

# --- addresses of machines ------------------------------------------------------------------------------------------------

# Every match of IPV4 and IPV6 contains one of these; a search for a point or colon costs a tenth of one for a digit.
THREE_DOTS_BETWEEN_DIGITS = re.compile("\\.(?<=[0-9]\\.)[0-9]{1,3}+\\.[0-9]{1,3}+\\.[0-9]")
FIRST_GROUP_OF_IPV6 = re.compile(":(?<=[23][0-9A-Fa-f]{3}:)")
IPV4 = re.compile("(?P<value>[0-9](?<![0-9.].)[0-9]{0,2}+\\.[0-9]{1,3}+\\.[0-9]{1,3}+\\.[0-9]{1,3}+)(?!\\.?[0-9A-Za-z_])")
# Global unicast addresses begin with 2 or 3 (RFC 4291); std::dec and times of day do not.
IPV6 = re.compile(
    "(?P<value>[23](?<![0-9A-Za-z._].)(?<![0-9A-Fa-f:]:.)[0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}+:){1,6}+[0-9A-Fa-f]{0,4}+)(?![0-9A-Za-z:])"
)
