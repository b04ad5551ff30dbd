"""Time: no text makes a pattern slow, and the search as a whole grows with the length of the text."""

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pii.config import PiiConfig
from pipeline.pii.kinds import KINDS
from pipeline.pii.patterns import AT_AND_LABEL, AT_WORD_AND_LABEL, SEVEN_DIGITS, lines_with_numbers
from pipeline.pii.shadow import shadow
from pipeline.pii.stage import find_personal_data
from tests.pipeline.pii.cases import CASES

BYTES = 100_000
# CPU seconds for one pattern on 100 kB. Alone on a machine the slowest takes 8 ms, but tests run at the same time and compete for
# cache and memory bandwidth. A quadratic search takes seconds.
LIMIT = 0.030
# Other work on the machine does not slow down all of so many attempts.
ATTEMPTS = 40

UNITS = (
    *("0", "9", "a", "@", "-", " ", "\n", "ー", "a@", "a.", "a.a@", "a@a", "a@b.", "taro@example.", "a" * 63 + "@"),
    *("a@" + "b" * 61 + "-", "a[at]", "a (at) ", "[at", "a★b", "アットマーク", "0-", "00 ", "000-", "0000-0000-", "0(", "(0"),
    *("(03)", "03-1234-567 ", "090-1234-567 12:34:1番", "+8", "+81 90 ", "+12 345 ", "〒1", "〒123-", "郵便番号", "100-000 "),
    *(
        "100-0001 東",
        "東京都",
        "東京都港区",
        "東京都" + "あ" * 30,
        "港区1-",
        "区1-1-1 ",
        "1番",
        "1番2",
        "1の2の",
        "丁目",
        "丁目一番",
    ),
    *(
        "北1条",
        "普通番号",
        "口座",
        "口座番号",
        "記号番号",
        "支店",
        "振込先" + "あ" * 20,
        "1234567 ",
        "個人番号",
        "マイナンバー12桁",
    ),
    *("1234 5678 ", "4111-1111-1111-", "カード ", "カード" + "あ" * 20, "12345678901234567890", "255.", "1.1.", "10.0.0.1/"),
    *("2:", "2001:", "2001:0:", "3fff::", "12:34:56 "),
    *(
        "taro@example.com ",
        "a@b.jp ",
        "taro[at]example[dot]com ",
        "090-1234-5678 ",
        "(03)1234-5678 ",
        "0312345678 ",
        "+1 650 253 0000 ",
    ),
    *(
        "4111 1111 1111 1111 ",
        "カード4111111111111111 ",
        "1234 5678 9018 ",
        "個人番号123456789018 ",
        "〒100-0001",
        "100-0001 東京都",
    ),
    *("東京都港区1-2-3 ", "港区丁目一番", "203.104.209.7 ", "2400:4050:1::1 "),
)
_random = random.Random(4)
MIXTURES = tuple("".join(_random.choices(UNITS, k=_random.randint(2, 6))) for _ in range(12))
PATTERNS = {
    "seven digits": SEVEN_DIGITS,
    **{f"{kind.name}-{index}": shape.anchor or shape.pattern for kind in KINDS for index, shape in enumerate(kind.shapes)},
}


def of_size(unit: str) -> str:
    return unit * (BYTES // len(unit.encode("utf-8")))


def is_slow(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a search for all matches takes more than the limit each time."""
    for _ in range(ATTEMPTS):
        start = time.process_time()
        for _ in pattern.finditer(text):
            pass
        if time.process_time() - start < LIMIT:
            return False
    return True


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_no_text_makes_a_pattern_slow(pattern: re.Pattern[str]) -> None:
    assert [unit for unit in UNITS + MIXTURES if is_slow(pattern, shadow(of_size(unit)))] == []


@given(
    st.lists(
        st.one_of(st.sampled_from(UNITS), st.text("09aA@.-( ):\n区番丁目〒ー", min_size=1, max_size=8)), min_size=1, max_size=5
    )
)
@settings(max_examples=15, deadline=None)
def test_no_mixture_makes_a_pattern_slow(units: list[str]) -> None:
    text = shadow(of_size("".join(units)))
    assert [name for name, pattern in PATTERNS.items() if is_slow(pattern, text)] == []


def test_a_row_of_numbers_that_set_each_other_free_takes_linear_time() -> None:
    # One round per card would take minutes.
    row = of_size("4111 1111 1111 1111 ")
    start = time.process_time()
    edits = find_personal_data(row, PiiConfig())
    assert time.process_time() - start < 2
    assert len(edits) == row.count("4111")


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([text for text, _ in CASES]),
        st.sampled_from(UNITS),
        st.text("0123456789-.:@ at()[]ー市区\n", max_size=12),
    ),
    max_size=6,
).map("".join)


def check_that_nothing_is_hidden(text: str) -> None:
    searched = shadow(text)
    numbers = lines_with_numbers(searched)
    for kind in KINDS:
        for shape in kind.shapes:
            # The restatement: a search that starts at every place, without words, screens or anchors.
            valid = [match for match in shape.pattern.finditer(searched) if shape.is_valid(match)]
            if valid:
                assert shape.may_match(searched), kind.name
            if valid and kind.is_number:
                assert shape.may_match(numbers), kind.name
                assert shape.pattern.search(numbers), kind.name


def test_what_saves_a_search_hides_no_labelled_case() -> None:
    for text, _ in CASES:
        check_that_nothing_is_hidden(text)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_what_saves_a_search_hides_no_match_in_a_mixture(text: str) -> None:
    check_that_nothing_is_hidden(text)


@given(TEXTS)
def test_the_lines_with_numbers_are_those_in_which_seven_digits_stand_close_together(text: str) -> None:
    close = [line for line in text.split("\n") if re.search("[0-9](?:[^0-9]{0,5}[0-9]){6}", line)]
    assert lines_with_numbers(text) == "\n".join(close)


@pytest.mark.parametrize("unit", ["a@", "a@a", "a@b.", "a.a@", "a[at]", "a (at) ", "a★b", "アットマーク", "a@b[", "a@b ド"])
def test_no_address_is_attempted_where_no_domain_follows(unit: str) -> None:
    for anchor in (AT_AND_LABEL, AT_WORD_AND_LABEL):
        assert anchor.search(shadow(unit * 50)) is None


def test_a_search_grows_with_the_length_of_the_text_and_not_faster() -> None:
    # Twice the text may take three times as long, not four: timing on a shared machine is rough.
    for unit in ("090-1234-567 12:34:1番", "taro@example.com ", "口座番号", "a.a@", "東京都港区1-1 "):
        text = of_size(unit)
        for _ in range(ATTEMPTS):
            start = time.process_time()
            find_personal_data(text[: len(text) // 2], PiiConfig())
            half = time.process_time() - start
            find_personal_data(text, PiiConfig())
            if time.process_time() - start - half < 3 * half:
                break
        else:
            pytest.fail(f"{unit!r} takes more than linear time")


def test_full_width_forms_and_hyphens_become_ascii() -> None:
    assert shadow("ＡＢｃ＠０９．／（）：＋　‐‑‒–—―−－ｰ─") == "ABc@09./():+ ----------"


def test_a_long_vowel_mark_is_a_hyphen_only_between_digits() -> None:
    assert shadow("センター03ー1234ー５６ー") == "センター03-1234-56ー"


@given(st.text(st.one_of(st.characters(), st.sampled_from("０９ＡＺａｚ＠．／ー‐－　"))))
def test_the_shadow_has_the_length_of_the_text_and_is_its_own_shadow(text: str) -> None:
    once = shadow(text)
    assert len(once) == len(text)
    assert shadow(once) == once
    assert all(a == b or ord(a) > 0x7F for a, b in zip(text, once, strict=True))
