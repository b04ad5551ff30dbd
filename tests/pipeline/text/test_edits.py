"""Edits as spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.edits import Edit, apply, merge

TEXT = "0123456789" * 3
spans = st.tuples(st.integers(0, 29), st.integers(1, 8), st.sampled_from(["", "X", "long"])).map(
    lambda item: Edit(item[0], min(30, item[0] + item[1]), "kind", item[2])
)


def test_edits_replace_their_spans() -> None:
    assert apply("電話は090-0000-0000です。", [Edit(3, 16, "phone", "［電話］")]) == "電話は［電話］です。"


def test_no_edits_leave_the_text() -> None:
    assert apply(TEXT, []) == TEXT


@pytest.mark.parametrize("edits", [[Edit(5, 3, "k", "")], [Edit(0, 31, "k", "")], [Edit(0, 5, "k", ""), Edit(4, 6, "k", "")]])
def test_spans_that_do_not_fit_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        apply(TEXT, edits)


def test_a_deletion_takes_a_replacement_inside_it_along() -> None:
    footer = [Edit(10, 30, "footer", "")]
    assert merge(footer, [Edit(12, 15, "phone", "X")]) == footer


def test_what_reaches_beyond_an_earlier_edit_is_deleted_if_it_deletes_and_kept_if_not() -> None:
    assert merge([Edit(0, 5, "a", "X")], [Edit(3, 8, "b", "")]) == [Edit(0, 5, "a", "X"), Edit(5, 8, "b", "")]
    assert merge([Edit(0, 5, "a", "")], [Edit(3, 8, "b", "X")]) == [Edit(0, 5, "a", "")]


@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6))
def test_merged_edits_always_apply_and_delete_all_that_any_deletes(first: list[Edit], second: list[Edit]) -> None:
    merged = merge(first, second)
    result = apply(TEXT, merged)
    assert len(result) == len(TEXT) + sum(len(edit.replacement) - (edit.end - edit.start) for edit in merged)
    touched = {position for edit in merged for position in range(edit.start, edit.end)}
    deleted = {position for edit in [*first, *second] if not edit.replacement for position in range(edit.start, edit.end)}
    assert deleted <= touched


@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6))
def test_merging_does_not_depend_on_the_order_within_a_group(first: list[Edit], second: list[Edit]) -> None:
    assert merge(first, second) == merge(first[::-1], second[::-1])
