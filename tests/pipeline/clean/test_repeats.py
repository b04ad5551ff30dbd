"""Doubled titles and lists of contents at the top of a text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.clean.removed_lines import removed_lines
from tests.pipeline.clean.restatement import repeated_lines as restated

HEADINGS = ["峠の汽車", "川沿いの道", "古い橋", "茶屋の話"]
PROSE = "川沿いの道をしばらく歩くと古い橋が見えてきました。"


def repeated_lines(lines: list[str]) -> list[int]:
    """Indices of the lines that are repeated below."""
    return removed_lines(lines, "repeat")


def article(headings: list[str]) -> list[str]:
    return [line for heading in headings for line in (heading, PROSE)]


def kept(lines: list[str]) -> list[str]:
    gone = set(repeated_lines(lines))
    return [line for index, line in enumerate(lines) if index not in gone]


def test_a_title_above_itself_goes() -> None:
    assert kept(["峠の汽車", "峠の汽車", "峠の汽車", PROSE]) == ["峠の汽車", PROSE]
    assert kept(["題", PROSE, PROSE, "続く段落。"]) == ["題", PROSE, "続く段落。"]


@pytest.mark.parametrize(
    "lines",
    [
        ["題", PROSE, "二つめの段落。", "三つめの段落。", "はい。", "はい。"],  # below the head
        ["}", "}", PROSE],  # no words
        ["3", "3", PROSE],
        ["峠", PROSE, "峠", PROSE],  # no neighbours
    ],
)
def test_other_equal_lines_stay(lines: list[str]) -> None:
    assert kept(lines) == lines


@pytest.mark.parametrize(
    "top",
    [[], ["峠の手帖"], ["峠の手帖", "書いた人：鈴木", "目次"], ["■もくじ"], ["Contents"]],
    ids=lambda top: "-".join(top) or "none",
)
def test_a_list_of_contents_goes_with_its_label(top: list[str]) -> None:
    lines = [*top, *HEADINGS, *article(HEADINGS)]
    assert kept(lines) == [*(line for line in top if line in ("峠の手帖", "書いた人：鈴木")), *article(HEADINGS)]


def test_a_long_list_of_contents_may_stand_below_a_teaser() -> None:
    headings = [f"第{number}の話" for number in "一二三四五六"]
    lines = ["峠の手帖", "この手帖では峠の話をします。", *headings, *article(headings)]
    assert kept(lines) == [*lines[:2], *article(headings)]


def test_subheadings_may_follow_their_heading_at_once() -> None:
    headings = ["峠の汽車", "時刻", "川沿いの道", "古い橋"]
    lines = [*headings, "峠の汽車", "時刻", PROSE, "川沿いの道", PROSE, "古い橋", PROSE]
    assert kept(lines) == lines[4:]


@pytest.mark.parametrize(
    "lines",
    [
        ["峠の手帖", "見どころは次の四つです。", *HEADINGS, *article(HEADINGS)],  # the author's enumeration
        ["峠の手帖", "見どころ", *HEADINGS, *article(HEADINGS)],
        [*HEADINGS[:2], *article(HEADINGS[:2])],  # two lines
        [*HEADINGS, *article(HEADINGS[::-1])],  # in another order
        [*HEADINGS, PROSE, *HEADINGS],  # a refrain: without text between
        [f"{heading}。" for heading in HEADINGS] + article([f"{heading}。" for heading in HEADINGS]),  # sentences
        [f"  {heading}" for heading in HEADINGS] + article([f"  {heading}" for heading in HEADINGS]),  # indented, as code is
        ["git add", "git commit", "git push", "git add", PROSE, "git commit", PROSE, "git push", PROSE],  # commands
        [*(f"段落{number}。" for number in range(10)), *HEADINGS, *article(HEADINGS)],  # far below the top
    ],
    ids=["introduced", "below a heading", "two", "other order", "refrain", "sentences", "indented", "commands", "below"],
)
def test_what_is_no_list_of_contents_stays(lines: list[str]) -> None:
    assert kept(lines) == lines


def test_a_label_whose_list_is_gone_goes_and_one_before_a_list_stays() -> None:
    assert kept(["目次", PROSE]) == [PROSE]
    assert kept(["峠の手帖", "目次", PROSE]) == ["峠の手帖", PROSE]
    for label in ("目 次", "【目 次】：", "■もくじ", "Contents:", "[Table of contents]", "TOC"):
        assert kept([label, PROSE]) == [PROSE]
    assert kept(["目次", "巻頭言", PROSE]) == ["目次", "巻頭言", PROSE]
    assert kept(["題", "一。", "二。", "三。", "目次", PROSE]) == ["題", "一。", "二。", "三。", "目次", PROSE]


LINES = st.lists(
    st.sampled_from([*HEADINGS, "目次", "【目 次】：", "あ", PROSE, "}", "峠。", "  峠", "😀" * 60, "峠" * 101]), max_size=30
)


@given(LINES | st.lists(st.sampled_from("あいうえおabc"), max_size=40))
@settings(max_examples=150, deadline=None)
def test_repetitions_are_those_of_the_rule_restated(lines: list[str]) -> None:
    assert repeated_lines(lines) == restated(lines)


@given(st.lists(st.sampled_from([*HEADINGS, "目次", "あ", PROSE, "}", "峠。"]), max_size=16))
def test_every_line_that_goes_is_said_again_below_but_for_a_label(lines: list[str]) -> None:
    gone = repeated_lines(lines)
    assert gone == sorted(set(gone))
    for index in gone:
        below = [line for later, line in enumerate(lines) if later > index and later not in gone]
        assert lines[index] == "目次" or lines[index] in below


def test_many_equal_lines_take_linear_time() -> None:
    # A list of pairs of indices, or a search from every line, would take minutes.
    assert repeated_lines(["峠"] * 100_000)[-1] == 99_998
    assert repeated_lines([f"峠{number % 50_000}" for number in range(100_000)]) == []
