"""Footers at the ends of texts."""

import pytest

from pipeline.clean.config import CleanConfig
from pipeline.clean.footers import footer_keywords, footer_start, keyword_share
from pipeline.clean.stage import find_edits

WINDOW, SHARE = 3, 0.3


def kept(*lines: str, window: int = WINDOW) -> list[str]:
    return list(lines[: footer_start(lines, window, SHARE)])


PROSE = "川沿いの道をしばらく歩くと古い橋が見えてきました。"


@pytest.mark.parametrize(
    "line",
    [
        "Copyright © 2024 汽車と峠の手帖",
        "© 2019 とても長い名前の架空の会社の楽しいページ",
        "プライバシーポリシー | お問い合わせ",
        "All Rights Reserved.",
        "記事一覧へ",
    ],
)
def test_a_last_line_of_footer_words_is_a_footer(line: str) -> None:
    assert kept(PROSE, line) == [PROSE]


def test_a_footer_takes_labels_between_and_below_its_lines_along() -> None:
    assert kept(PROSE, "会社概要", "架空商事", "(c) 2024 架空商事") == [PROSE]
    assert kept(PROSE, "お問い合わせ", "架空商事") == [PROSE]


def test_a_closing_paragraph_behind_a_footer_word_stays() -> None:
    assert kept(PROSE, "記事一覧へ", "次回は峠の話を書きます。") == [PROSE, "記事一覧へ", "次回は峠の話を書きます。"]


def test_a_sentence_is_no_footer_however_many_footer_words_it_holds() -> None:
    line = "コメントとシェアはこちら。"
    assert keyword_share(line) > SHARE
    assert kept(PROSE, line) == [PROSE, line]


def test_the_items_of_a_closing_list_are_no_labels() -> None:
    assert kept(PROSE, "お問い合わせ", "• 話し合いの資料") == [PROSE, "お問い合わせ", "• 話し合いの資料"]


def test_only_the_window_is_looked_at() -> None:
    footer = ["サイトマップ", "会社概要", "採用情報", "お問い合わせ"]
    assert kept(PROSE, *footer) == [PROSE, "サイトマップ"]
    assert kept(PROSE, *footer, window=10) == [PROSE]


def test_a_line_at_the_threshold_is_no_footer() -> None:
    line = "タグ12345678"  # 2 of 10 letters
    assert footer_start([line], WINDOW, keyword_share(line)) == 1
    assert footer_start([line], WINDOW, keyword_share(line) - 0.01) == 0


def test_the_share_counts_letters_of_keywords_without_regard_to_case() -> None:
    assert keyword_share("タグ：旅と峠と川") == pytest.approx(2 / 8)
    assert keyword_share("  COPYRIGHT ") == 1
    assert keyword_share("") == 0


def test_a_keyword_within_another_english_word_does_not_count() -> None:
    assert keyword_share("commentary shared") == 0
    assert keyword_share("comment share") == pytest.approx(12 / 13)


@pytest.mark.parametrize("keyword", footer_keywords())
def test_no_keyword_is_lost_before_the_last_lines_are_looked_at(keyword: str) -> None:
    config = CleanConfig(steps=("footer",))
    for line in (keyword, f" {keyword}", keyword.upper()):
        assert [edit.kind for edit in find_edits(f"{PROSE}\n{line}\n架空社", config, came_as_text=False)] == ["footer"]


@pytest.mark.parametrize(
    "line", ["（c） 2019 とても長い名前の架空の会社", "（C)2019 架空の会社", "COPYRİGHT 架空の会社", "copyrıght 架空の会社"]
)
def test_no_mark_of_rights_is_lost_either(line: str) -> None:
    assert footer_start([line], WINDOW, SHARE) == 0
    config = CleanConfig(steps=("footer",))
    assert [edit.kind for edit in find_edits(f"{PROSE}\n{line}", config, came_as_text=False)] == ["footer"]
