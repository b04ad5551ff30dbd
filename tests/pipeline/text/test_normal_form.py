"""The normal form is what a reader sees, one line a paragraph, and equals what the steps of cleaning leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.edits import apply
from pipeline.text.invisible import character_edits
from pipeline.text.normal_form import normal_form, normal_forms, one_line_a_paragraph

TEXTS = st.text("あか\u3099ｶﾞｱ漢。\u200b\u200d\xad\u2028\x0c\x85\r\n\n \t\u3000👩#", max_size=24) | st.text(max_size=8)


@pytest.mark.parametrize(
    ("text", "of_text", "of_page"),
    [
        ("今日は\n\n 晴れ \u3000\n\n\n明日\n", "今日は\n 晴れ\n明日", "今日は\n 晴れ\n明日"),
        ("港\u200bの\xad朝", "港の朝", "港の朝"),
        ("か\u3099ｶﾞ", "がガ", "がガ"),
        ("一\r\n\r\n二\r三\u2028四\x0c", "一\n二\n三\n四", "一\n二三四"),
        ("一\n\u200b\n二", "一\n二", "一\n二"),
        (" \n\u200b", "", ""),
        ("", "", ""),
    ],
)
def test_what_is_left_is_what_a_reader_sees(text: str, of_text: str, of_page: str) -> None:
    assert normal_form(text, came_as_text=True) == of_text
    assert normal_form(text, came_as_text=False) == of_page


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=5))
def test_the_screen_misses_nothing(texts: list[tuple[str, bool]]) -> None:
    expected = [
        one_line_a_paragraph(apply(text, character_edits(text, line_ends=True if came_as_text else None)))
        for text, came_as_text in texts
    ]
    assert normal_forms([text for text, _ in texts], [came_as_text for _, came_as_text in texts]) == expected


@given(TEXTS, st.booleans())
def test_a_normal_form_is_its_own(text: str, came_as_text: bool) -> None:
    once = normal_form(text, came_as_text)
    assert normal_form(once, came_as_text) == once


def test_a_text_in_normal_form_is_returned_as_it_is() -> None:
    text = "渡し船は朝に出る。\n  窓から海が見える。"
    assert normal_form(text, came_as_text=True) is text
