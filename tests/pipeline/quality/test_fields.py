"""Rules on fields that came with the records: numbers and allowed values, and what becomes of a record without the field."""

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.quality.config import QualityConfig, all_rules_of
from pipeline.quality.fields import field_numbers, field_rules_of
from pipeline.rules import judge


def verdicts(fields: dict[str, Any], *rows: dict[str, Any]) -> list[tuple[str | None, float | None, float | None]]:
    """(rule, value, threshold) of records with these fields."""
    config = QualityConfig.model_validate({"fields": fields})
    numbers = field_numbers([json.dumps(row) for row in rows], config.fields.by_path)
    found = judge(field_rules_of(config.fields), [str(number) for number in range(len(rows))], numbers).to_pylist()
    return [(row["rule"], row["value"], row["threshold"]) for row in found]


KEPT = (None, None, None)


def test_a_number_is_bounded_and_the_verdict_has_its_value() -> None:
    rows: list[dict[str, Any]] = [{"score": 0.5}, {"score": 0.25}, {"score": "0.75"}, {"score": True}]
    assert verdicts({"score": {"min": 0.5, "max": 0.9}}, *rows) == [
        KEPT,
        ("fields.score", 0.25, 0.5),
        KEPT,
        ("fields.score", 1.0, 0.9),
    ]


def test_allowed_values_are_compared_with_their_type_and_one_of_a_list_suffices() -> None:
    rows: list[dict[str, Any]] = [{"a": "x"}, {"a": "z"}, {"a": ["z", "y"]}, {"a": 3}, {"a": "3"}, {"a": True}, {"a": {"b": 1}}]
    found = verdicts({"a": {"any_of": ["x", "y", 3, 1]}}, *rows)
    dropped = ("fields.a", 0.0, 1.0)
    assert found == [KEPT, dropped, KEPT, KEPT, dropped, dropped, dropped]


@pytest.mark.parametrize("bounds", [{"min": 1}, {"max": 0}, {"any_of": ["x"]}])
@pytest.mark.parametrize("row", [{}, {"a": None}, {"a": {"c": 1}}])
def test_a_record_without_the_field_is_dropped_unless_the_manifest_keeps_it(bounds: dict[str, Any], row: dict[str, Any]) -> None:
    ((rule, _, _),) = verdicts({"a.b": bounds}, row)
    assert rule == "fields.a.b"
    assert verdicts({"a.b": {**bounds, "missing": "keep"}}, row) == [KEPT]


def test_a_value_that_is_no_number_is_not_taken_for_a_missing_one() -> None:
    ((rule, value, _),) = verdicts({"a": {"min": 0, "missing": "keep"}}, {"a": "many"})
    assert rule == "fields.a"
    assert value is not None
    assert np.isnan(value)


def test_paths_may_be_dotted_or_nested_and_are_in_one_order() -> None:
    dotted = QualityConfig.model_validate({"fields": {"metadata.score": {"min": 1}, "licence": {"any_of": ["CC0"]}}})
    nested = QualityConfig.model_validate({"fields": {"licence": {"any_of": ["CC0"]}, "metadata": {"score": {"min": 1}}}})
    assert dotted == nested
    assert dotted.model_dump_json() == nested.model_dump_json()
    assert QualityConfig.model_validate(dotted.model_dump(mode="json")) == dotted
    assert [rule.name for rule in all_rules_of(dotted)][-2:] == ["fields.licence", "fields.metadata.score"]


@pytest.mark.parametrize("bounds", [{}, {"missing": "keep"}, {"min": 1, "any_of": [1]}, {"at_least": 1}, 5])
def test_bounds_that_say_nothing_or_two_things_are_refused(bounds: object) -> None:
    with pytest.raises(ValidationError):
        QualityConfig.model_validate({"fields": {"score": bounds}})
