"""Cleaning as a whole: punctuation, white space, how the steps combine, and what is true of the edits of any text."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean.config import STEPS, CleanConfig, rules_of
from pipeline.clean.footers import footer_keywords
from pipeline.clean.stage import find_edits, find_edits_batch
from pipeline.rules import judge
from pipeline.text.edits import Edit, apply
from tests.pipeline.clean import restatement as cleaning_restatement
from tests.pipeline.clean.test_navigation import EXAMPLES, LIKE_FURNITURE

ALL = CleanConfig()
REPEATABLE = CleanConfig(steps=tuple(step for step in STEPS if step not in ("footer", "repeat")))
PUNCTUATION = CleanConfig(steps=("punctuation",))


def edits_of_page(text: str, config: CleanConfig = ALL) -> list[Edit]:
    return find_edits(text, config, came_as_text=False)


def cleaned(text: str, config: CleanConfig = ALL) -> str:
    """A page's text after cleaning."""
    return apply(text, edits_of_page(text, config))


def cleaned_text(text: str, config: CleanConfig = ALL) -> str:
    """A text that came as text, after cleaning."""
    return apply(text, find_edits(text, config, came_as_text=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日は，雨．傘を，さす．", "今日は、雨。傘を、さす。"),
        ("今日は，雨。傘を，さす。", "今日は、雨。傘を、さす。"),  # toten and kuten are decided separately
        ("今日は、雨．傘を、さす．", "今日は、雨。傘を、さす。"),
        ("今日は，雨、傘を、さす。", "今日は，雨、傘を、さす。"),  # the majority is Japanese already
        ("今日は，雨、さす。", "今日は，雨、さす。"),  # a tie changes nothing
        ("「雨」，（傘），コーヒー，々，", "「雨」、（傘）、コーヒー、々、"),
        ("雨だ．．．", "雨だ。。。"),
        ("雨は３．１４，Ａ，と，", "雨は３．１４，Ａ，と、"),  # never after a full-width letter or digit
        ("比は3．14と，なる．次も．", "比は3．14と、なる。次も。"),  # nor between two ASCII ones
        ("Ruby，そしてPython．使う，使う．", "Ruby、そしてPython。使う、使う。"),
        ("と３，５，７．Ａ．", "と３，５，７．Ａ．"),  # nothing counts, so nothing changes
        ("今天下雨，我们去茶馆，喝茶。", "今天下雨，我们去茶馆，喝茶。"),  # Chinese
    ],
)
def test_punctuation_follows_the_majority_of_the_document(text: str, expected: str) -> None:
    assert cleaned(text, PUNCTUATION) == expected


def test_punctuation_in_lines_that_go_does_not_count() -> None:
    text = "今日は、雨。\n傘を，さす。\nこのサイトでは，利用状況の把握のため，クッキーを利用しています．"
    assert cleaned(text) == "今日は、雨。\n傘を，さす。"


JAPANESE = re.compile("[ぁ-ゖァ-ヺー々〆一-龥）)」』】]")


def kutoten(text: str) -> str:
    """The rule restated, mark by mark, for texts without surrogates and half-width closing brackets other than )."""
    if not re.search("[ぁ-ゖァ-ヺ]", text):
        return text
    for japanese, western in (("、", "，"), ("。", "．")):
        counted = {
            mark: sum(1 for i in range(1, len(text)) if text[i] == mark and JAPANESE.match(text[i - 1]))
            for mark in (japanese, western)
        }
        if counted[western] <= counted[japanese]:
            continue
        changed = list(text)
        for run in re.finditer(f"{western}+", text):
            previous, following = text[max(run.start() - 1, 0) : run.start()], text[run.end() : run.end() + 1]
            between_ascii = all(character.isascii() and character.isalnum() for character in (previous or " ", following or " "))
            if not re.match("[Ａ-Ｚａ-ｚ０-９]", previous) and not between_ascii:
                changed[run.start() : run.end()] = japanese * len(run.group())
        text = "".join(changed)
    return text


@given(st.text("、，。．あ漢ー）」Ａ３a3 \n", max_size=40))
def test_punctuation_agrees_with_the_rule_mark_by_mark(text: str) -> None:
    assert cleaned(text, PUNCTUATION) == kutoten(text)


def test_white_space_at_the_ends_of_lines_and_of_a_page_goes() -> None:
    assert cleaned("\n \n一行め \t\u3000\n\n  二行め\xa0\n三行め\n\n") == "一行め\n\n  二行め\n三行め"


def test_blank_lines_and_indentation_inside_the_code_of_a_page_stay() -> None:
    code = "手順は次のとおり。\ndef one():\n    return 1\n\n\ndef two():\n\treturn 2\nこれで終わる。"
    assert edits_of_page(code) == []


def test_a_line_that_goes_leaves_no_double_gap() -> None:
    assert cleaned("一つめの段落。\n\n続きを読む\n\n二つめの段落。") == "一つめの段落。\n\n二つめの段落。"


def test_blank_lines_around_lines_that_go_become_one() -> None:
    assert cleaned("一つめ。\n\n\n続きを読む\n\nシェアする\n \n二つめ。\n\n\n三つめ。") == "一つめ。\n\n二つめ。\n\n\n三つめ。"
    assert cleaned("続きを読む\n\n一つめ。\n\nシェアする\n\n") == "一つめ。"


MARKDOWN = """# 峠の汽車

汽車は朝に出て、昼に着く。\x20\x20
窓から海が見える。

- 一つめ
    - 二つめ

```python
def ride(hours):
    # 乗る，降りる，また乗る．


\tMENU = ["続きを読む"]
    return hours
Home
シェアする
```

    次へ

~~~
© 2024 汽車と峠の手帖
~~~

"""


def test_markdown_with_code_stays_as_it_came() -> None:
    assert find_edits(MARKDOWN, ALL, came_as_text=True) == []
    assert find_edits(f"  \n\n{MARKDOWN} \n\n\n", ALL, came_as_text=True) == []
    assert find_edits(MARKDOWN.replace("\n", "\r\n"), ALL, came_as_text=True) == []


def test_a_fence_that_is_never_closed_hides_no_footer() -> None:
    assert cleaned_text("段落。\n```\n続きを読む\n© 2024 汽車と峠の手帖") == "段落。\n```"


def test_lines_that_go_take_nothing_else_of_a_text() -> None:
    assert cleaned_text("一つめ。 \n\n続きを読む\n\n二つめ。\n\n© 2024 峠\n") == "一つめ。 \n\n\n二つめ。\n\n"


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_other_line_ends_become_line_feeds_in_texts_and_end_no_line_in_pages(end: str) -> None:
    text = f"early{end}before{end}"
    edits = find_edits(text, ALL, came_as_text=True)
    assert {(edit.kind, edit.replacement) for edit in edits} == {("line_end", "\n")}
    assert apply(text, edits) == "early\nbefore\n"
    assert cleaned(text) == "earlybefore"
    assert cleaned_text(text, CleanConfig(steps=("invisible",))) == text
    assert cleaned_text(f"一つめ。{end}シェアする{end}二つめ。") == "一つめ。\n二つめ。"


def test_carriage_returns_before_line_feeds_stay_with_them() -> None:
    text = "あ，い\u200b\r\nシェアする\r\nはじめに#\r\nう，え．\r\nおわりに#\r\n\r\n© 2024 峠"
    assert cleaned_text(text) == "あ、い\r\nはじめに\r\nう、え。\r\nおわりに\r\n"
    assert cleaned_text("一つめ。\r\n続きを読む") == "一つめ。"
    assert cleaned_text("一\r\r\n二\r") == "一\n\r\n二\n"


def test_neighbouring_lines_that_go_for_one_reason_are_one_edit() -> None:
    text = "段落。\nシェアする\n続きを読む\n次の段落。"
    assert [(edit.kind, text[edit.start : edit.end]) for edit in edits_of_page(text)] == [
        ("navigation", "シェアする\n続きを読む\n")
    ]


def test_a_footer_is_looked_for_above_navigation_and_blank_lines() -> None:
    text = "段落。\n\n© 2024 汽車と峠の手帖\n\nページトップへ\n"
    assert cleaned(text) == "段落。"
    assert {edit.kind for edit in edits_of_page(text)} == {"footer", "navigation", "whitespace"}


def test_lines_are_judged_by_what_is_seen_of_them() -> None:
    assert cleaned("段落。\n続き\u200bを読む\nｼｪｱする") == "段落。"


def test_a_heading_is_judged_without_its_link_sign() -> None:
    assert cleaned("はじめに#\n段落。\nおわりに#\u200b\n関連記事#") == "はじめに\n段落。\nおわりに"


def test_a_date_below_a_doubled_title_is_in_the_head_once_the_title_is_single() -> None:
    assert cleaned("峠の汽車\n峠の汽車\n峠の汽車\n\n2019-02-11\n段落。") == "峠の汽車\n\n段落。"


def test_a_title_above_and_below_a_date_is_doubled() -> None:
    text = "峠の汽車\n2019-02-11\n峠の汽車\n段落。"
    assert [edit.kind for edit in edits_of_page(text)] == ["repeat", "navigation"]
    assert cleaned(text) == "峠の汽車\n段落。"


def test_only_the_steps_of_the_manifest_are_done() -> None:
    text = "続きを読む \n\n\n今日は，雨．\u200b\n© 2024 峠"
    assert cleaned(text, CleanConfig(steps=("footer", "punctuation"))) == "続きを読む \n\n\n今日は、雨。\u200b"
    assert cleaned(text, CleanConfig(steps=())) == text


@pytest.mark.parametrize(
    ("text", "kept"), [("段落。", True), ("続きを読む\n© 2024 峠", False), ("\u200b \n", False), ("", False)]
)
def test_a_document_of_which_nothing_is_left_is_dropped(text: str, kept: bool) -> None:
    verdict = judge(rules_of(ALL), ["d"], {"n_chars": np.array([len(cleaned(text))])}).to_pylist()[0]
    assert verdict["kept"] is kept
    if not kept:
        assert (verdict["rule"], verdict["value"], verdict["threshold"]) == ("empty_after_cleaning", 0.0, 1.0)


LINES = st.one_of(
    st.sampled_from(
        [
            "続きを読む",
            "シェアする",
            "© 2024 峠",
            "会社概要",
            "2019-02-11",
            "タグ：旅",
            "段落が，ここに，ある．",
            "段落が、ここにある。",
            "ｶﾀｶﾅ，か\u3099",
            "",
            " ",
            "次",
        ]
    ),
    st.text("、，。．あｶﾞ\u3099\u200b\u200d👩Ａ3a \t\u3000#:", max_size=8),
    st.text(max_size=5),
)
TEXTS = st.lists(LINES, max_size=9).map("\n".join)


@given(TEXTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_edits_are_ordered_and_lie_in_the_text(text: str, came_as_text: bool) -> None:
    past = 0
    for edit in find_edits(text, ALL, came_as_text):
        assert past <= edit.start < edit.end <= len(text)
        assert edit.kind in STEPS
        assert edit.replacement != text[edit.start : edit.end]
        past = edit.end


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_cleaning_again_changes_nothing_but_a_long_footer_and_repetitions_behind_others(text: str) -> None:
    once = cleaned(text, REPEATABLE)
    assert cleaned(once, REPEATABLE) == once
    again = edits_of_page(cleaned(text))
    assert not again or {"footer", "repeat"} & {edit.kind for edit in again}


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_nothing_is_added_but_punctuation_and_kana(text: str) -> None:
    for edit in edits_of_page(text):
        assert edit.kind in ("punctuation", "kana") or not edit.replacement
        assert len(edit.replacement) <= edit.end - edit.start


CONFIGS = [ALL, *(CleanConfig(steps=(step,)) for step in STEPS), CleanConfig(steps=("repeat", "footer", "kana"), footer_lines=1)]
FOOTERS = st.builds(
    "{}{}{}".format,
    st.text("あ\u3000 ", max_size=2),
    st.sampled_from([*footer_keywords(), "（C） 2019", "Copyright", "COPYRİGHT", "copyrıght"]),
    st.text("あ😀İ 。Ａ", max_size=6),
)
WORDS_OF_RULES = st.one_of(
    LINES,
    FOOTERS,
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", " ", "•\xa0", "\u2003"]),
        st.sampled_from([line for _, line in EXAMPLES]),
        st.sampled_from(["", " »", "\u200b"]),
    ),
    st.sampled_from(LIKE_FURNITURE.strip("\n").split("\n")),
    st.sampled_from(
        [
            "峠の汽車",
            "古い駅",
            "汽車は朝に出た",
            "目次",
            "■もくじ：",
            "峠の汽車#",
            "古い駅¶ ",
            "C#",
            "𠮷，𠮷．",
            "コピーボタン",
            "2019-02-11",
        ]
    ),
)


@given(
    st.lists(st.tuples(st.lists(WORDS_OF_RULES, max_size=14).map("\n".join), st.booleans()), max_size=4), st.sampled_from(CONFIGS)
)
@settings(max_examples=150, deadline=None)
def test_a_batch_is_cleaned_as_the_rules_restated_clean_each_text(texts: list[tuple[str, bool]], config: CleanConfig) -> None:
    texts = [(text.replace("\r\n", "\n"), came_as_text) for text, came_as_text in texts]
    expected = [cleaning_restatement.find_edits(text, config, came_as_text) for text, came_as_text in texts]
    assert find_edits_batch([text for text, _ in texts], config, [came for _, came in texts]) == expected


def test_every_row_of_furniture_is_found_in_a_batch_as_by_itself() -> None:
    texts = ["\n".join(("段落が、ここにある。", line, "段落が、ここにある。")) for _, line in EXAMPLES]
    expected = [cleaning_restatement.find_edits(text, ALL, came_as_text=False) for text in texts]
    assert find_edits_batch(texts, ALL, [False] * len(texts)) == expected


def test_a_batch_may_be_empty() -> None:
    assert find_edits_batch([], ALL, []) == []
    assert find_edits_batch(["", "\n"], CleanConfig(steps=()), [False, True]) == [[], []]
