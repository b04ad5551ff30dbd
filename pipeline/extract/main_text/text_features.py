"""What the letters of a block say of it: how many of which kind, how it ends, and what of it stands in the page's title.

A kana, a Chinese character or a hangul is a token, and a word of any other script is one, as in `main_text_features`.

Shapes: B blocks, C columns.
"""

import numba
import numpy as np

# In the order in which `measure_texts` writes them.
TEXT = (
    "tokens", "letters", "hiragana_share", "kanji_share", "digit_share", "capital_share", "sentence_ends", "commas",
    "separators", "lines", "link_share", "ends_a_sentence", "ends_with_colon", "brackets", "symbol_share",
    "characters_per_token", "characters_before_colon",
)  # fmt: skip
_NO_LABEL = 60  # characters before a colon that are too many for a label, such as "Read also:"
_TITLE_CHARACTERS = 200  # of a block that are sought in the title: headings are shorter


@numba.njit(cache=True, nogil=True)
def measure_texts(codes: np.ndarray, ends_B: np.ndarray, link_characters_B: np.ndarray) -> np.ndarray:
    """The columns of TEXT, shape (B, C), for the texts whose code points follow each other in `codes`."""
    table = np.zeros((len(ends_B), len(TEXT)), dtype=np.float32)
    start = 0
    for row in range(len(ends_B)):
        end = ends_B[row]
        tokens = letters = hiragana = kanji = digits = capitals = sentence_ends = commas = separators = brackets = symbols = 0
        lines = 1
        label = _NO_LABEL
        in_word = False
        last = 0
        for position in range(start, end):
            code = codes[position]
            is_word = False
            if code in (0x3A, 0xBB, 0xFF1A):  # : » ：
                label = min(label, position - start)
            if code < 0x80:
                if 0x61 <= (code | 0x20) <= 0x7A:
                    letters += 1
                    capitals += code < 0x60
                    is_word = True
                elif 0x30 <= code <= 0x39:
                    digits += 1
                    is_word = True
                elif code in (0x21, 0x2E, 0x3F):  # ! . ?
                    # followed by a space or quote, since 3.14 and a.b end no sentence
                    sentence_ends += position + 1 >= end or codes[position + 1] <= 0x22
                elif code == 0x2C:
                    commas += 1
                elif code in (0x2F, 0x3C, 0x3E, 0x7C):  # / < > |
                    separators += 1
                elif code == 0x0A:
                    lines += 1
                elif code in (0x28, 0x5B, 0x7B):  # ( [ {
                    brackets += 1
                elif code > 0x20:
                    symbols += 1
            elif code in (0x30FB, 0xAB, 0xB7, 0xBB, 0x203A, 0xFF5C):  # ・ « · » › ｜
                separators += 1
            elif 0x3041 <= code <= 0x30FF or 0xFF66 <= code <= 0xFF9F:
                tokens += 1
                letters += 1
                hiragana += code < 0x30A0
            elif 0x3400 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7AF or 0xF900 <= code <= 0xFAFF or code >= 0x20000:
                tokens += 1
                letters += 1
                kanji += 1
            elif code in (0x3002, 0xFF01, 0xFF0E, 0xFF1F, 0xFF61):  # 。 ！ ． ？ ｡
                sentence_ends += 1
            elif code in (0x3001, 0xFF0C):  # 、 ，
                commas += 1
            elif code in (0x300C, 0x300E, 0x3010, 0xFF08):  # 「 『 【 （
                brackets += 1
            elif 0xC0 <= code < 0x2000:
                letters += 1
                is_word = True
            elif 0xFF10 <= code <= 0xFF19:
                digits += 1
                is_word = True
            elif code not in (0xA0, 0x3000):
                symbols += 1
            tokens += is_word and not in_word
            in_word = is_word
            last = code
        size = end - start
        table[row, 0] = tokens
        table[row, 1] = letters
        table[row, 2] = hiragana / size
        table[row, 3] = kanji / size
        table[row, 4] = digits / size
        table[row, 5] = capitals / size
        table[row, 6] = sentence_ends
        table[row, 7] = commas
        table[row, 8] = separators
        table[row, 9] = lines
        table[row, 10] = min(1.0, link_characters_B[row] / size)
        # . ! ? 。 ． ！ ？ and what closes a quotation or a bracket
        table[row, 11] = last in (0x21, 0x22, 0x29, 0x2E, 0x3F, 0x3002, 0x300D, 0xFF01, 0xFF09, 0xFF0E, 0xFF1F)
        table[row, 12] = last in (0x3A, 0xFF1A)
        table[row, 13] = brackets
        table[row, 14] = symbols / size
        table[row, 15] = size / max(1, tokens)
        table[row, 16] = label
        start = end
    return table


@numba.njit(cache=True, nogil=True)
def share_in_title(codes: np.ndarray, ends_B: np.ndarray, title: np.ndarray) -> np.ndarray:
    """The share of the tokens at each block's start that the page's title has too, by case of ASCII letters alike."""
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


@numba.njit(cache=True, nogil=True)
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
