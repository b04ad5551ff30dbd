"""Telephone numbers compared with `phonenumbers`: the shortcuts of the checks must agree with its rules."""

import re

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.pii.config import PiiConfig
from pipeline.pii.stage import find_personal_data
from pipeline.pii.telephone import national_groups

PHONE = PiiConfig(kinds=("phone",))


def found(text: str) -> list[str]:
    return [text[edit.start : edit.end] for edit in find_personal_data(text, PHONE)]


def is_in_plan(digits: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, "JP"))
    except phonenumbers.NumberParseException:  # 010 is read as the prefix of a call abroad
        return False


@given(st.from_regex("0[1-9][0-9]{8}", fullmatch=True))
@example("0102100000")
@settings(max_examples=200, deadline=None)
def test_ten_digits_count_when_the_numbering_plan_has_them(number: str) -> None:
    is_valid = is_in_plan(number)
    assert bool(found(f"電話は{number}です")) == is_valid


@given(st.from_regex("0(?:3|6|11|45|52|75|92|422|467)-[1-9][0-9]{1,3}-[0-9]{4}", fullmatch=True))
@settings(max_examples=150, deadline=None)
def test_a_landline_in_groups_counts_when_the_numbering_plan_has_it(number: str) -> None:
    digits = re.sub("-", "", number)
    is_valid = len(digits) == 10 and is_in_plan(digits)
    assert found(f"電話は{number}です") == ([number] if is_valid else [])


@given(st.from_regex("0[5-9]0-[1-9][0-9]{3}-[0-9]{4}", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_mobile_and_ip_telephones_count_when_the_numbering_plan_has_them(number: str) -> None:
    is_valid = is_in_plan(re.sub("-", "", number))
    assert found(f"{number}まで") == ([number] if is_valid else [])


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("+81 (0)90 1234 5678", ["090", "1234", "5678"]),
        ("+81-3-1234-5678", ["03", "1234", "5678"]),
        ("+819012345678", ["09012345678"]),
        ("(03)1234-5678", ["03", "1234", "5678"]),
    ],
)
def test_numbers_with_the_code_of_the_country_are_read_in_their_national_form(value: str, groups: list[str]) -> None:
    assert national_groups(value) == groups
