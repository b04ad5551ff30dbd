"""Rules judge measured numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules import VERDICT_SCHEMA, Rule, judge

RULES = (
    Rule("length", minimum=400),
    Rule("share", maximum=0.5),
    Rule("strict", above=1, below=3),
    Rule("renamed", maximum=10, column="length_of_line"),
)


def verdict(**numbers: float) -> dict[str, object]:
    measured = {"length": 500.0, "share": 0.1, "strict": 2.0, "length_of_line": 5.0, **numbers}
    columns = {name: np.array([value]) for name, value in measured.items()}
    found: dict[str, object] = judge(RULES, ["d"], columns).to_pylist()[0]
    return found


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [
        ({"length": 400}, True),
        ({"length": 399}, False),
        ({"share": 0.5}, True),
        ({"share": 0.5000001}, False),
        ({"strict": 1}, False),
        ({"strict": 3}, False),
        ({"strict": 2.999}, True),
        ({"length_of_line": 11}, False),
    ],
)
def test_a_value_on_the_bound_is_kept_by_minimum_and_maximum_and_dropped_by_above_and_below(
    numbers: dict[str, float], kept: bool
) -> None:
    assert verdict(**numbers)["kept"] is kept


def test_the_first_rule_of_the_table_names_the_drop_and_all_are_listed() -> None:
    told = verdict(share=0.9, length=3, length_of_line=99)
    assert (told["rule"], told["value"], told["threshold"]) == ("length", 3.0, 400.0)
    assert told["failed"] == ["length", "share", "renamed"]


def test_of_two_bounds_the_broken_one_is_the_threshold() -> None:
    assert verdict(strict=5)["threshold"] == 3.0
    assert verdict(strict=0)["threshold"] == 1.0


def test_what_could_not_be_measured_is_dropped() -> None:
    assert verdict(share=float("nan"))["rule"] == "share"


def test_a_kept_document_has_no_rule_value_or_threshold() -> None:
    assert verdict() == {"doc_id": "d", "kept": True, "rule": None, "value": None, "threshold": None, "failed": []}


def test_no_documents_give_an_empty_table_of_the_same_schema() -> None:
    empty = judge(RULES, [], {name: np.empty(0) for name in ("length", "share", "strict", "length_of_line")})
    assert empty.num_rows == 0
    assert empty.schema == VERDICT_SCHEMA


@given(st.lists(st.tuples(*[st.floats(0, 1000) | st.just(float("nan"))] * 4), max_size=20))
def test_judging_a_table_is_judging_each_row(rows: list[tuple[float, ...]]) -> None:
    names = ("length", "share", "strict", "length_of_line")
    columns = {name: np.array([row[index] for row in rows], dtype=float) for index, name in enumerate(names)}
    judged = judge(RULES, [str(index) for index in range(len(rows))], columns).to_pylist()
    for row, told in zip(rows, judged, strict=True):
        length, share, strict, line = row
        broken = [
            name
            for name, holds in [
                ("length", length >= 400),
                ("share", share <= 0.5),
                ("strict", 1 < strict < 3),
                ("renamed", line <= 10),
            ]
            if not holds
        ]
        assert told["failed"] == broken
        assert told["rule"] == (broken[0] if broken else None)


@given(
    st.builds(Rule, st.just("r"), *(st.none() | st.sampled_from([0.0, 1.0, 2.5]) for _ in range(4))),
    st.floats() | st.sampled_from([0, 1, 2.5]),
)
def test_one_value_breaks_what_it_breaks_in_an_array(rule: Rule, value: float) -> None:
    failed, threshold = rule.failures(np.array([value]))
    assert rule.broken_bound(value) == (threshold[0] if failed[0] else None)
