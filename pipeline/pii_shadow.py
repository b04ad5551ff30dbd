"""A shadow of a text: the same length, full-width forms and the many hyphens as ASCII, for patterns to match on.

Because one code point becomes one, a span found on the shadow is the span in the text. NFKC has not that property. `re.sub` is
used instead of `str.translate`, which asks a dictionary for every kanji and took seven times as long.
"""

import re

_FULL_WIDTH_ASCII = {
    chr(code): chr(code - 0xFEE0) for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_SIGNS = dict(zip("＠．／（）：＋＿％，＃＝　\u00a0\u2009\u202f", "@./():+_%,#=    ", strict=True))
# Hyphens, dashes, minus signs, and the lines of tables and of half-width kana that are typed for them.
_HYPHENS = dict.fromkeys(
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u208b\u2212\u2500\u2501\u2796\u02d7\ufe58\ufe63\uff0d\uff70", "-"
)
_REPLACED = _FULL_WIDTH_ASCII | _SIGNS | _HYPHENS
_REPLACED_CHARACTER = re.compile(f"[{''.join(_REPLACED)}]")
# The long vowel mark is a hyphen only between digits; elsewhere it belongs to a word.
_LONG_VOWEL_BETWEEN_DIGITS = re.compile("ー(?<=[0-9０-９]ー)(?=[0-9０-９])")


def shadow(text: str) -> str:
    """`text` with full-width letters, digits and signs, wide spaces and hyphens of all kinds as ASCII; the length is the same."""
    text = _LONG_VOWEL_BETWEEN_DIGITS.sub("-", text)
    return _REPLACED_CHARACTER.sub(lambda match: _REPLACED[match.group()], text)
