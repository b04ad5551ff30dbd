"""Which letters a text consists of: every code point belongs to one class, and one pass counts the classes.

The Japanese classes are those of Swallow's published `quality.py`. The long vowel mark, half-width kana, `〆` and kanji beyond
U+FFFF belong to no Japanese class there, so they are `OTHER` here. The rest of the table (digits, Latin letters, symbols, white
space) is the project's own.
"""

from enum import IntEnum
from functools import cache

import numba
import numpy as np


class Letter(IntEnum):
    """The class of a code point; the classes do not overlap."""

    OTHER = 0
    HIRAGANA = 1
    KATAKANA = 2
    KANJI = 3
    KUTEN = 4
    TOTEN = 5
    DIGIT = 6
    LATIN = 7
    SPACE = 8
    SYMBOL = 9


_CLASSES = len(Letter)


class Sign(IntEnum):
    """What else a code point may be, as bits, for the division of texts into sentences and lines."""

    ENDS_SENTENCE = 1
    ELLIPSIS = 2
    SPACE = 4
    ENDS_LINE = 8
    BULLET = 16


# The characters that `str.isspace` accepts, so that a line or sentence is stripped as `str.strip` does it.
SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

# (class, first, last), both included. If rows overlap, the last one holds.
RANGES: tuple[tuple[Letter, int, int], ...] = (
    (Letter.SYMBOL, 0x21, 0x7E),  # ASCII, less the letters and digits below
    (Letter.SYMBOL, 0xA1, 0xBF),  # Latin-1 signs, less ª and º
    (Letter.SYMBOL, 0xD7, 0xD7),  # ×
    (Letter.SYMBOL, 0xF7, 0xF7),  # ÷
    (Letter.SYMBOL, 0x2010, 0x2BFF),  # general punctuation, currency, numbers in circles, arrows, boxes, dingbats
    (Letter.SYMBOL, 0x3001, 0x3004),  # CJK symbols and brackets, less the Japanese letters below and 〆
    (Letter.SYMBOL, 0x3008, 0x3020),
    (Letter.SYMBOL, 0x3030, 0x3030),
    (Letter.SYMBOL, 0x3036, 0x3037),
    (Letter.SYMBOL, 0x303D, 0x303F),
    (Letter.SYMBOL, 0x309B, 0x309C),  # ゛゜
    (Letter.SYMBOL, 0x30FB, 0x30FB),  # ・
    (Letter.SYMBOL, 0x3200, 0x33FF),  # enclosed and squared CJK
    (Letter.SYMBOL, 0xFE30, 0xFE6B),  # vertical and small forms
    (Letter.SYMBOL, 0xFF01, 0xFF65),  # full-width ASCII, less its letters and digits below
    (Letter.SYMBOL, 0xFFE0, 0xFFEE),
    (Letter.SYMBOL, 0x1F000, 0x1FAFF),  # tiles, emoji, pictographs
    (Letter.DIGIT, 0x30, 0x39),
    (Letter.DIGIT, 0xFF10, 0xFF19),
    (Letter.LATIN, 0x41, 0x5A),
    (Letter.LATIN, 0x61, 0x7A),
    (Letter.LATIN, 0xAA, 0xAA),
    (Letter.LATIN, 0xBA, 0xBA),
    (Letter.LATIN, 0xC0, 0xD6),
    (Letter.LATIN, 0xD8, 0xF6),
    (Letter.LATIN, 0xF8, 0x24F),
    (Letter.LATIN, 0x1E00, 0x1EFF),
    (Letter.LATIN, 0xFF21, 0xFF3A),
    (Letter.LATIN, 0xFF41, 0xFF5A),
    *((Letter.SPACE, ord(space), ord(space)) for space in SPACES),
    (Letter.HIRAGANA, 0x3041, 0x3096),
    (Letter.KATAKANA, 0x30A1, 0x30FA),
    (Letter.KANJI, 0x3400, 0x9FFF),
    (Letter.KANJI, 0xF900, 0xFAFF),
    *((Letter.KANJI, ord(kanji), ord(kanji)) for kanji in "々〇〻"),
    *((Letter.KUTEN, ord(kuten), ord(kuten)) for kuten in "。．！？"),
    *((Letter.TOTEN, ord(toten), ord(toten)) for toten in "、，"),
)

SIGNS: tuple[tuple[Sign, str], ...] = (
    (Sign.ENDS_SENTENCE, "。．！？!?"),  # Swallow's sentence expression
    (Sign.ELLIPSIS, "・…"),  # Swallow's signs of a cut sentence
    (Sign.SPACE, SPACES),
    # C4's "terminal punctuation mark" (Raffel et al. 2020, 2.2), with the Japanese marks and closing brackets
    (Sign.ENDS_LINE, '.!?"”。．！？…」』）)'),
    # Gopher's "starting with a bullet point" (Rae et al. 2021, A1.1), with the marks that Japanese pages use
    (Sign.BULLET, "•‣◦▪▶►-*・●○◎■□◆◇▼▽★☆※"),
)

# Tables end with plane 1, which has the emoji; every later code point is `OTHER` and no sign, like the last entry.
LAST_CODE = 0x1FFFF


@cache
def letter_table() -> np.ndarray:
    """`RANGES` as an array, uint8 of shape (LAST_CODE + 1,): the class of each code point."""
    table = np.zeros(LAST_CODE + 1, dtype=np.uint8)
    for letter, first, last in RANGES:
        table[first : last + 1] = letter
    return table


@cache
def sign_table() -> np.ndarray:
    """`SIGNS` as an array, uint8 of shape (LAST_CODE + 1,): the signs of each code point, as bits."""
    table = np.zeros(LAST_CODE + 1, dtype=np.uint8)
    for sign, characters in SIGNS:
        table[[ord(character) for character in characters]] |= np.uint8(sign)
    return table


def count_letters(codes: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """How many letters of each class each text has: int64 of shape (texts, len(Letter)).

    `codes` (uint32) holds the code points of all texts; text `t` is `codes[bounds[t]:bounds[t + 1]]` (int64).
    """
    return _count_letters(codes, bounds, letter_table())


@numba.njit(cache=True, nogil=True)
def _count_letters(codes: np.ndarray, bounds: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """`count_letters`; `letters` is `letter_table()`."""
    last = len(letters) - 1
    counts = np.zeros((len(bounds) - 1, _CLASSES), dtype=np.int64)
    for text in range(len(bounds) - 1):
        for index in range(bounds[text], bounds[text + 1]):
            counts[text, letters[min(codes[index], last)]] += 1
    return counts
