"""Invisible characters, and half-width and decomposed kana."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.edits import Edit, apply, merge, original_spans
from pipeline.text.invisible import character_edits


def cleaned(text: str) -> str:
    return apply(text, character_edits(text))


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x07",
        "\r",
        "\x0b",
        "\x0c",
        "\x7f",
        "\x85",
        "\xad",
        "\u200b",
        "\u200e",
        "\u202e",
        "\u2028",
        "\u2060",
        "\u2066",
        "\ufeff",
    ],
)
def test_what_no_reader_saw_is_removed(character: str) -> None:
    assert character_edits(f"日{character}本") == [Edit(1, 2, "invisible", "")]


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_what_ends_a_line_in_a_text_becomes_a_line_feed(end: str) -> None:
    assert character_edits(f"日{end}本", line_ends=True) == [Edit(1, 2, "line_end", "\n")]
    assert character_edits(f"日{end}本", line_ends=False) == []
    assert end == "\r" or len(f"日{end}本".splitlines()) == 2
    assert character_edits("日\r\n本", line_ends=True) == []


def test_line_feeds_tabs_and_spaces_stay() -> None:
    assert character_edits("日\n本\t語 \u3000\xa0文") == []


def test_neighbouring_invisible_characters_are_one_edit() -> None:
    assert character_edits("a\u200b\u200d\ufeffb") == [Edit(1, 4, "invisible", "")]


@pytest.mark.parametrize(
    "text",
    ["👩\u200d👧", "👩🏽\u200d💻", "🏳\ufe0f\u200d🌈", "🧔\u200d♂\ufe0f", "क्\u200dष", "می\u200cخواهم", "葛\U000e0100城"],
)
def test_joiners_and_selectors_that_shape_what_is_seen_stay(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    ("text", "expected"), [("日\u200d本", "日本"), ("👩\u200d", "👩"), ("a\u200cb", "ab"), ("日\u200d👧", "日👧")]
)
def test_joiners_that_join_nothing_are_removed(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ｶﾀｶﾅ", "カタカナ"),
        ("ｶﾞｷﾞﾊﾟﾋﾟｳﾞ", "ガギパピヴ"),
        ("ﾜﾞ", "ヷ"),
        ("｢ｺｰﾋｰ､ﾊﾟﾝ｡｣", "「コーヒー、パン。」"),
        ("か\u3099は\u309aウ\u3099", "がぱヴ"),
        ("ｱﾞ", "アﾞ"),
        ("か\u200b\u3099", "が"),
    ],
)
def test_kana_become_full_width_and_take_their_sound_marks(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize("text", ["(ﾟдﾟ)", "10²", "①㈱髙﨑", "½…㍿Ⅳ゛～〜", "Ａ１（）　", "神\ufa19", "あ\u3099"])
def test_nothing_else_is_normalised(text: str) -> None:
    assert cleaned(text) == text


def test_either_step_can_be_left_out() -> None:
    text = "ｶﾞ\u200b"
    assert apply(text, character_edits(text, kana=False)) == "ｶﾞ"
    assert apply(text, character_edits(text, invisible=False)) == "ガ\u200b"


CHARACTERS = st.text(st.one_of(st.characters(), st.sampled_from("ｶﾊﾞﾟアかは\u3099\u309a\u200b\u200c\u200d\ufe0f👩👧♂क\u0644日\n")))


@given(CHARACTERS)
def test_a_second_time_changes_nothing(text: str) -> None:
    assert character_edits(cleaned(text)) == []


@given(CHARACTERS)
def test_half_width_kana_agree_with_unicode_compatibility(text: str) -> None:
    for edit in character_edits(text, invisible=False):
        bare = text[edit.start : edit.end].translate(dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\xad")))
        if len(bare) <= 2 and not any(unicodedata.category(character) == "Cf" for character in bare):
            assert unicodedata.normalize("NFKC", edit.replacement) == unicodedata.normalize("NFKC", bare)


@given(CHARACTERS, st.data())
def test_edits_of_the_changed_text_become_edits_of_the_text_before(text: str, data: st.DataObject) -> None:
    made = character_edits(text)
    changed = apply(text, made)
    bounds = data.draw(st.lists(st.integers(0, len(changed)), max_size=6, unique=True).map(sorted))
    later = [Edit(start, end, "x", "") for start, end in zip(bounds[::2], bounds[1::2], strict=False)]
    assert apply(text, merge(original_spans(later, made), made)) == apply(changed, later)
