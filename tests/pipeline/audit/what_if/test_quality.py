"""Judging with moved bounds reads only their columns, and agrees with judging by all rules again."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.what_if.columns import Part, WhatIfError
from pipeline.audit.what_if.quality import first_failures, moved_rules
from pipeline.rules import Rule, judge

BOUNDS = st.one_of(st.none(), st.floats(0, 1))
VALUES = st.one_of(st.floats(0, 1), st.just(float("nan")))


@st.composite
def judged_again(draw: st.DrawFn) -> tuple[list[Rule], list[Rule], dict[str, npt.NDArray[np.float64]]]:
    """Rules today, rules with the change, and values of their columns."""
    names = ["a", "b", "c"]
    count = draw(st.integers(0, 6))
    columns = {name: np.array(draw(st.lists(VALUES, min_size=count, max_size=count))) for name in names}

    def rules() -> list[Rule]:
        made = [Rule(name, minimum=draw(BOUNDS), below=draw(BOUNDS)) for name in draw(st.permutations(names))]
        return [rule for rule in made if rule.bounds()]

    before = rules()
    return before, draw(st.one_of(st.just(before), st.just(rules()))), columns


@settings(max_examples=60)
@given(judged_again())
def test_moved_bounds_judge_as_all_rules_anew_would(
    case: tuple[list[Rule], list[Rule], dict[str, npt.NDArray[np.float64]]],
) -> None:
    before, after, columns = case
    count = len(columns["a"])
    doc_ids = [str(number) for number in range(count)]
    failed = judge(before, doc_ids, columns)["failed"].combine_chunks()
    moved = moved_rules(before, [after])
    zeros = np.zeros(count, dtype=np.int64)
    measured = {column: columns[column] for column in moved.values()}  # other columns must not be read
    part = Part("part-00000", pa.array(doc_ids), zeros, zeros, measured, zeros.astype(np.int8), {}, failed)
    names = [rule.name for rule in after] + [None]
    first = [names[number] for number in first_failures(part, before, after, moved)]
    assert first == judge(after, doc_ids, columns)["rule"].to_pylist()


def test_a_verdict_by_a_rule_of_another_version_is_said() -> None:
    failed = pa.array([["gone"]], pa.list_(pa.string()))
    zeros = np.zeros(1, dtype=np.int64)
    part = Part("part-00000", pa.array(["x"]), zeros, zeros, {}, zeros.astype(np.int8), {}, failed)
    with pytest.raises(WhatIfError, match="'gone', which is no rule of quality now"):
        first_failures(part, [Rule("a", minimum=1)], [Rule("a", minimum=1)], {})
