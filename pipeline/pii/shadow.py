"""The shadow of a text: of the same length, with full-width forms and the many hyphens as ASCII, for patterns to match.

Since each code point becomes one code point, a span in the shadow is the span in the text; NFKC does not have this property. A
compiled loop over UTF-16 code units does it: `re.sub` took twice as long, and `str.translate`, which looks up every kanji in a
dictionary, seven times as long.
"""

import numba
import numpy as np

from pipeline.text.utf16 import code_units

_FULL_WIDTH_ASCII = {
    chr(code): chr(code - 0xFEE0) for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_SIGNS = dict(zip("＠．／（）：＋＿％，＃＝　\u00a0\u2009\u202f", "@./():+_%,#=    ", strict=True))
# Hyphens, dashes, minus signs, and lines of tables and the half-width long vowel mark, which are typed for them.
_HYPHENS = dict.fromkeys(
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u208b\u2212\u2500\u2501\u2796\u02d7\ufe58\ufe63\uff0d\uff70", "-"
)
_REPLACED = _FULL_WIDTH_ASCII | _SIGNS | _HYPHENS
# By UTF-16 code unit.
SHADOW_OF = np.arange(0x10000, dtype=np.uint16)
SHADOW_OF[[ord(character) for character in _REPLACED]] = [ord(ascii_form) for ascii_form in _REPLACED.values()]
_LONG_VOWEL, _HYPHEN, _ZERO, _NINE = map(ord, "ー-09")


def shadow(text: str) -> str:
    """`text` with full-width letters, digits and signs, wide spaces and hyphens of all kinds as ASCII, of the same length."""
    return _shadow(code_units(text), SHADOW_OF).tobytes().decode("utf-16-le", "surrogatepass")


@numba.njit(cache=True, nogil=True)
def _shadow(units: np.ndarray, shadow_of: np.ndarray) -> np.ndarray:
    result = np.empty_like(units)
    for index in range(len(units)):
        result[index] = shadow_of[units[index]]
    # The long vowel mark is a hyphen only between digits; elsewhere it belongs to a word.
    for index in range(1, len(units) - 1):
        if units[index] == _LONG_VOWEL and _ZERO <= result[index - 1] <= _NINE and _ZERO <= shadow_of[units[index + 1]] <= _NINE:
            result[index] = _HYPHEN
    return result
