"""Texts as code units, and tables over them."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.utf16 import batch_units, code_units, is_second_half, runs_of, units_in, units_in_bracket, units_of

TEXTS = st.lists(st.text(st.characters() | st.sampled_from("\n😀𠮷\ud83d\ude00"), max_size=12), max_size=6)


@given(TEXTS)
def test_a_batch_holds_each_text_between_line_feeds(texts: list[str]) -> None:
    units, bounds = batch_units(texts)
    for text, start, past in zip(texts, bounds[:-1], bounds[1:], strict=True):
        assert units[start : past - 1].tolist() == code_units(text).tolist()
        assert units[start - 1] == units[past - 1] == ord("\n")
    assert bounds[-1] == len(units)


@given(st.text(st.characters() | st.sampled_from("😀𠮷"), max_size=12))
def test_every_pair_has_one_second_half(text: str) -> None:
    units, _ = batch_units([text])
    pairs = sum(map(bool, (is_second_half(units, index) for index in range(1, len(units)))))
    assert pairs == len(units) - 2 - len(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass"))


@given(st.lists(st.integers(0, 180_000), max_size=8))
def test_runs_hold_all_texts_once_and_in_order(sizes: list[int]) -> None:
    texts = ["あ" * size for size in sizes]
    runs = list(runs_of(texts))
    assert [text for run in runs for text in texts[run]] == texts
    assert all(run.start < run.stop for run in runs)
    assert all(sum(map(len, texts[run])) <= 250_000 for run in runs)


def test_a_text_longer_than_a_run_is_one_by_itself() -> None:
    assert list(runs_of(["あ", "い" * 300_000, "う", ""])) == [slice(0, 1), slice(1, 2), slice(2, 4)]
    assert list(runs_of([])) == []


def test_tables_hold_what_is_named() -> None:
    inside = "a-cx\u3041-\u3096。"
    expected = [unit for unit in range(0x10000) if re.match(f"[{inside}]", chr(unit))]
    assert np.flatnonzero(units_in_bracket(inside)).tolist() == expected
    assert np.flatnonzero(units_of([(97, 99), (0xFFFF, 0x1F600)])).tolist() == [97, 98, 99, 0xFFFF]
    assert np.flatnonzero(units_in("cab")).tolist() == [97, 98, 99]
