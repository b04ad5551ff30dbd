"""Lists of expressions: how they are read, and how much of a text they cover."""

from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measure.config import MeasureConfig
from pipeline.measure.expression_lists import ExpressionListError, ExpressionLists, Found, read_expressions, read_lists
from tests.pipeline.measure.restatement import letters_of_matches

BUNDLED = ("ng_expressions.txt", "allowed_expressions.txt", "dating_expressions.txt")


def find(text: str, ng: tuple[str, ...] = (), allowed: tuple[str, ...] = (), dating: tuple[str, ...] = ()) -> Found:
    return ExpressionLists(ng, allowed, dating).find(text.encode("utf-8"))


def test_the_longest_expression_at_the_leftmost_place_counts() -> None:
    assert find("エロ漫画家", ng=("エロ", "エロ漫画", "漫画家")).ng_letters == 4


def test_matching_goes_on_behind_a_match() -> None:
    assert find("ああああああああ", ng=("あああ",)).ng_letters == 6


def test_letters_are_counted_in_characters_of_any_width() -> None:
    assert find("x𠮷あx", ng=("𠮷あ", "x")).ng_letters == 4


def test_an_allowed_word_hides_the_expression_inside_it() -> None:
    assert find("ピエロとエロ", ng=("エロ",), allowed=("ピエロ",)) == Found(4, 2, False)


def test_an_allowed_word_that_goes_on_behind_the_expression_hides_it() -> None:
    assert find("死ねば", ng=("死ね",), allowed=("死ねば",)).ng_letters_not_allowed == 0


def test_an_expression_that_is_allowed_itself_does_not_count() -> None:
    assert find("児童", ng=("児童",), allowed=("児童",)) == Found(2, 0, False)


def test_a_dating_expression_is_found_inside_an_ng_expression() -> None:
    assert find("出会い系アダルト", ng=("出会い系アダルト",), dating=("会い系",)) == Found(8, 8, True)


def test_empty_lists_find_nothing() -> None:
    assert find("何でも") == Found(0, 0, False)


@given(
    st.text(alphabet="あいう", max_size=30),
    st.sets(st.text(alphabet="あいう", min_size=1, max_size=4), max_size=5),
    st.sets(st.text(alphabet="あいう", min_size=1, max_size=4), max_size=5),
)
def test_counts_equal_the_restatement(text: str, ng: set[str], allowed: set[str]) -> None:
    found = find(text, tuple(ng), tuple(allowed))
    assert found.ng_letters == letters_of_matches(text, ng)
    assert found.ng_letters_not_allowed == letters_of_matches(text, ng, allowed)


def test_a_large_list_finds_the_same() -> None:
    many = tuple(f"語{number}番" for number in range(5000))
    assert find("語12番と語4999番と語5000番", ng=many).ng_letters == len("語12番語4999番")


def test_comments_white_space_and_repeats_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeff# 注\r\n　い \r\n\r\nあ\nあ\n う#え\n".encode())
    assert read_expressions(path, "unused") == ("あ", "い", "う#え")


def test_a_folder_stands_for_its_lists(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("い\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("う\nい\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("え\n", encoding="utf-8")
    assert read_expressions(tmp_path, "unused") == ("い", "う")


def test_errors_name_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("あ\nい".encode() + b"\n\x82\xa0\n")
    with pytest.raises(ExpressionListError, match=r"list\.txt, line 3: not UTF-8"):
        read_expressions(path, "unused")
    path.write_text("あ\nい\x00う\n", encoding="utf-8")
    with pytest.raises(ExpressionListError, match=r"list\.txt, line 2: .*control character"):
        read_expressions(path, "unused")


def test_a_missing_list_and_a_folder_without_lists_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ExpressionListError, match="nowhere: no such file or folder"):
        read_expressions(tmp_path / "nowhere", "unused")
    with pytest.raises(ExpressionListError, match=r"holds no \.txt file"):
        read_expressions(tmp_path, "unused")


def test_the_digest_depends_on_the_entries_alone_and_on_their_list() -> None:
    assert ExpressionLists(["い", "あ", "あ"], [], []).digest == ExpressionLists(["あ", "い"], [], []).digest
    one_each = [ExpressionLists(*(["あ"] if index == place else [] for index in range(3))) for place in range(3)]
    assert len({lists.digest for lists in one_each}) == 3


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_lists_begin_with_their_licence_and_repeat_nothing(name: str) -> None:
    lines = (resources.files("pipeline.measure") / "lists" / name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    entries = [line for line in lines if line and not line.startswith("#")]
    assert len(entries) == len(set(entries))
    assert entries == [entry.strip() for entry in entries]


def test_every_bundled_allowed_expression_holds_an_ng_expression() -> None:
    lists = read_lists(MeasureConfig())
    assert [word for word in lists.allowed if not any(expression in word for expression in lists.ng)] == []


@pytest.mark.parametrize(
    "innocent",
    ["黄色はイエロー", "ピエロの衣装", "ユーザーメンバーの一覧", "サセックス公爵", "画家ラファエロ", "古代のヒエログリフ"],
)
def test_innocent_words_are_allowed_by_the_bundled_lists(innocent: str) -> None:
    assert read_lists(MeasureConfig()).find(innocent.encode()).ng_letters_not_allowed == 0
