"""The table of letters equals the classes of Swallow, and agrees with Unicode where the project chose the ranges."""

import numpy as np

from pipeline.text.character_classes import LAST_CODE, SPACES, Letter, Sign, count_letters, letter_table, sign_table
from tests.pipeline.measure.restatement import is_kanji

LETTERS = "".join(map(chr, range(LAST_CODE + 1)))


def members(letter: Letter) -> set[str]:
    return {chr(code) for code in np.flatnonzero(letter_table() == letter)}


def test_japanese_letters_are_those_of_the_published_code() -> None:
    assert members(Letter.HIRAGANA) == {letter for letter in LETTERS if "ぁ" <= letter <= "ゖ"}
    assert members(Letter.KATAKANA) == {letter for letter in LETTERS if "ァ" <= letter <= "ヺ"}
    assert members(Letter.KANJI) == {letter for letter in LETTERS if is_kanji(letter)}
    assert members(Letter.KUTEN) == set("。．！？")
    assert members(Letter.TOTEN) == set("、，")


def test_white_space_is_what_str_strip_strips() -> None:
    spaces = {chr(code) for code in range(0x110000) if chr(code).isspace()}
    assert members(Letter.SPACE) == spaces == set(SPACES)
    assert {chr(code) for code in np.flatnonzero(sign_table() & Sign.SPACE)} == spaces


def test_symbols_in_use_in_japanese_text_are_symbols() -> None:
    assert members(Letter.SYMBOL) >= set("「」（）【】・…※○●→①㈱℃〒～〜-―/:;\"'#$%&()*+<=>@[]^_`{|}~!?.,￥｡｢🙂♪゛")


def test_letters_of_words_are_no_symbols() -> None:
    assert not members(Letter.SYMBOL) & set("ー〆々ｱéßбΩ한")


def test_latin_letters_and_digits_include_the_full_width_forms() -> None:
    assert members(Letter.DIGIT) == set("0123456789０１２３４５６７８９")
    assert members(Letter.LATIN) >= set("azAZａｚＡＺéÿŁ")


def test_letters_beyond_the_table_are_of_no_class() -> None:
    codes = np.array([0x20BB7, 0x10FFFF, ord("あ")], dtype=np.uint32)
    counts = count_letters(codes, np.array([0, 3], dtype=np.int64))
    assert counts[0, Letter.OTHER] == 2
    assert counts[0, Letter.HIRAGANA] == 1
