"""Lines and sentences are divided as Swallow's published code divides them."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measure.sentences import Divisions, divide
from tests.pipeline.measure.restatement import sentences_of_line


def divisions_of(text: str) -> dict[str, int]:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    divisions = divide(codes, np.array([0, len(text)], dtype=np.int64))
    return {name: int(column[0]) for name, column in zip(Divisions._fields, divisions, strict=True)}


@settings(max_examples=200)
@given(st.text(alphabet="あい。．！？!? \r…", max_size=20))
def test_the_restatement_splits_as_the_published_expression_does(line: str) -> None:
    assert sentences_of_line(line) == re.findall("[^。．！？!?]+[。．！？!?]?", line)


def test_sentences_end_at_any_end_mark_and_at_the_line() -> None:
    divisions = divisions_of("一。二！三？四.五!六?\n七")
    assert divisions["sentences"] == 6
    assert divisions["longest_sentence"] == len("四.五!")
    assert divisions["paragraphs"] == 2


def test_marks_without_a_sentence_are_left_out() -> None:
    divisions = divisions_of("。！？\n！あ！！")
    assert (divisions["sentences"], divisions["sentence_letters"]) == (1, 2)


def test_all_occurrences_but_the_first_are_duplicates() -> None:
    divisions = divisions_of("うえ。あい。うえ。うえ。\nあい。")
    assert (divisions["duplicate_sentences"], divisions["duplicate_sentence_letters"]) == (3, 9)
    assert divisions["duplicate_paragraphs"] == 0


def test_spans_that_only_begin_alike_are_not_duplicates() -> None:
    assert divisions_of("\n".join("あ" * length for length in range(1, 200)))["duplicate_paragraphs"] == 0


def test_blank_lines_are_paragraphs_but_not_lines() -> None:
    divisions = divisions_of("あ\n\n　\n い \n")
    assert (divisions["paragraphs"], divisions["lines"], divisions["line_letters"]) == (5, 2, 2)


def test_an_ellipsis_counts_at_the_end_of_a_sentence_alone() -> None:
    assert divisions_of("あ…\nい・　\nう…。\n…え\n…")["cut_sentences"] == 3


def test_line_shapes() -> None:
    divisions = divisions_of("・項目\n  - 項目。\n" + "長" * 19 + "）\n" + "長" * 19)
    assert divisions["bullet_lines"] == 2
    assert divisions["punctuated_lines"] == 2
    assert divisions["short_lines"] == 3
