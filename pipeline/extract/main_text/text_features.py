"""Features of the characters of a block: how many of each kind, how it ends, and how much of it is in the page's title.

Each kana, Chinese character or hangul is a token, and each word of any other script, as in `features`.

Shapes: B blocks, C columns.
"""

import functools

import numpy as np

from pipeline.compiled import njit

# In the order in which `measure_texts` writes them.
TEXT = (
    "tokens", "letters", "hiragana_share", "kanji_share", "digit_share", "capital_share", "sentence_ends", "commas",
    "separators", "lines", "link_share", "ends_a_sentence", "ends_with_colon", "brackets", "symbol_share",
    "characters_per_token", "characters_before_colon",
)  # fmt: skip
_NO_LABEL = 60  # characters before a colon that are too many for a label such as "Read also:"
_TITLE_CHARACTERS = 200  # of a block that are searched for in the title; headings are shorter

# Kinds of characters, those of words first.
(
    _SMALL_LETTER, _CAPITAL, _OTHER_LETTER, _DIGIT, _HIRAGANA, _KATAKANA, _KANJI,
    _SENTENCE_END, _FULL_STOP, _COMMA, _SEPARATOR, _QUOTE, _BRACKET, _LINE_FEED, _SYMBOL, _COLON, _NOTHING,
) = range(17)  # fmt: skip
_KINDS = 17
# Characters of each kind, as text and as ranges of code points, both ends included; a later row overrules an earlier one.
_CHARACTERS: tuple[tuple[int, str, tuple[tuple[int, int], ...]], ...] = (
    (_NOTHING, "\xa0\u3000", ((0x00, 0x20),)),
    (_OTHER_LETTER, "", ((0xC0, 0x1FFF),)),
    (_SMALL_LETTER, "", ((0x61, 0x7A),)),
    (_CAPITAL, "", ((0x41, 0x5A),)),
    (_DIGIT, "", ((0x30, 0x39), (0xFF10, 0xFF19))),
    (_HIRAGANA, "", ((0x3041, 0x309F),)),
    (_KATAKANA, "", ((0x30A0, 0x30FF), (0xFF66, 0xFF9F))),
    (_KANJI, "", ((0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF))),
    (_SENTENCE_END, "。！．？｡", ()),
    (_FULL_STOP, "!.?", ()),  # ends a sentence before a space, a quote or the text's end: 3.14 and a.b do not
    (_COMMA, ",、，", ()),
    (_SEPARATOR, "/<>|・«·›｜", ()),
    (_QUOTE, "»", ()),  # a separator, and the end of a label
    (_BRACKET, "([{「『【（", ()),
    (_LINE_FEED, "\n", ()),
    (_COLON, ":：", ()),  # a symbol, and the end of a label
)
_RARE_KANJI = 0x20000  # from here on Chinese characters; between the basic plane and here symbols


def measure_texts(codes: np.ndarray, ends_B: np.ndarray, link_characters_B: np.ndarray) -> np.ndarray:
    """The columns of TEXT, float32, shape (B, C), for the texts whose code points follow each other in `codes`; none is empty."""
    measured: np.ndarray = _measure(codes, ends_B, link_characters_B, _kinds())
    return measured


@functools.cache
def _kinds() -> np.ndarray:
    """The kind of every character of the basic plane, uint8."""
    kinds = np.full(0x10000, _SYMBOL, dtype=np.uint8)
    for kind, characters, ranges in _CHARACTERS:
        for first, last in ranges:
            kinds[first : last + 1] = kind
        for character in characters:
            kinds[ord(character)] = kind
    return kinds


@njit(nogil=True)
def _measure(codes: np.ndarray, ends_B: np.ndarray, link_characters_B: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    table = np.zeros((len(ends_B), len(TEXT)), dtype=np.float32)
    counts = np.zeros(_KINDS, dtype=np.int64)
    start = 0
    for row in range(len(ends_B)):
        end = ends_B[row]
        counts[:] = 0
        tokens, label = _count_kinds(codes, start, end, kinds, counts)
        _write_row(table[row], counts, end - start, tokens, label)
        table[row, 10] = min(1.0, link_characters_B[row] / (end - start))
        table[row, 11] = _is_final(codes[end - 1])
        table[row, 12] = codes[end - 1] in (0x3A, 0xFF1A)
        start = end
    return table


@njit(nogil=True)
def _count_kinds(codes: np.ndarray, start: int, end: int, kinds: np.ndarray, counts: np.ndarray) -> tuple[int, int]:
    """Count the kinds of `codes[start:end]` into `counts`; how many tokens there are, and how many characters before a colon."""
    tokens = 0
    label = _NO_LABEL
    in_word = False
    for position in range(start, end):
        code = codes[position]
        kind = int(kinds[code]) if code < len(kinds) else _SYMBOL if code < _RARE_KANJI else _KANJI
        if kind == _FULL_STOP and position + 1 < end and codes[position + 1] > 0x22:
            kind = _NOTHING
        if kind in (_COLON, _QUOTE):
            label = min(label, position - start)
        counts[kind] += 1
        is_word = kind <= _DIGIT
        tokens += (is_word and not in_word) or _HIRAGANA <= kind <= _KANJI
        in_word = is_word
    return tokens, label


@njit(nogil=True)
def _write_row(row: np.ndarray, counts: np.ndarray, size: int, tokens: int, label: int) -> None:
    """The columns of TEXT that the counts of kinds decide."""
    latin = counts[_SMALL_LETTER] + counts[_CAPITAL] + counts[_OTHER_LETTER]
    row[0] = tokens
    row[1] = latin + counts[_HIRAGANA] + counts[_KATAKANA] + counts[_KANJI]
    row[2] = counts[_HIRAGANA] / size
    row[3] = counts[_KANJI] / size
    row[4] = counts[_DIGIT] / size
    row[5] = counts[_CAPITAL] / size
    row[6] = counts[_SENTENCE_END] + counts[_FULL_STOP]
    row[7] = counts[_COMMA]
    row[8] = counts[_SEPARATOR] + counts[_QUOTE]
    row[9] = 1 + counts[_LINE_FEED]
    row[13] = counts[_BRACKET]
    row[14] = (counts[_SYMBOL] + counts[_COLON]) / size
    row[15] = size / max(1, tokens)
    row[16] = label


@njit(nogil=True)
def _is_final(code: int) -> bool:
    """Whether the character ends a sentence: . ! ? 。 ． ！ ？, or what closes a quotation or bracket: " ) 」 ）"""
    return code in (0x21, 0x22, 0x29, 0x2E, 0x3F, 0x3002, 0x300D, 0xFF01, 0xFF09, 0xFF0E, 0xFF1F)


@njit(nogil=True)
def share_in_title(codes: np.ndarray, ends_B: np.ndarray, title: np.ndarray) -> np.ndarray:
    """The share of the tokens at each block's start that are also in the page's title, ignoring the case of ASCII letters."""
    is_in_title = np.zeros(1 << 16, dtype=np.bool_)  # by hash: one of 65,536 for the dozen tokens of a title
    for token in _hashed_tokens(title):
        is_in_title[token] = True
    shares_B = np.zeros(len(ends_B))
    start = 0
    for block in range(len(ends_B)):
        tokens = _hashed_tokens(codes[start : min(ends_B[block], start + _TITLE_CHARACTERS)])
        shares_B[block] = is_in_title[tokens].sum() / max(1, len(tokens))
        start = ends_B[block]
    return shares_B


@njit(nogil=True)
def _hashed_tokens(codes: np.ndarray) -> np.ndarray:
    """A hash of 16 bits of each token: of each kana, Chinese character or hangul, and of each run of other letters and digits."""
    tokens = np.empty(len(codes), dtype=np.int64)
    count = word = 0
    for code in codes:
        is_capital = 0x41 <= code <= 0x5A
        if is_capital or 0x30 <= code <= 0x39 or 0x61 <= code <= 0x7A or 0xC0 <= code < 0x2000:
            word = (31 * word + code + 32 * is_capital + 1) & 0xFFFF
            continue
        if word:
            tokens[count] = word
            count += 1
            word = 0
        if code >= 0x3041:
            tokens[count] = code & 0xFFFF
            count += 1
    if word:
        tokens[count] = word
        count += 1
    return tokens[:count]
