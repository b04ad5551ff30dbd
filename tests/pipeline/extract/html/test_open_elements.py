"""Searches among the open elements of a page and what closes them, against a restatement on lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.html import open_elements
from pipeline.extract.html.elements import (
    ANCHOR,
    CLASS,
    DIVISION,
    KIND,
    LI,
    NAME,
    NO_REOPENING,
    SPECIAL,
    TABLE,
    P,
    element_table,
    pack_name,
)
from pipeline.extract.html.open_elements import A_LINK, COLUMNS, HTML_INSIDE, INLINE, NO_ROLE, PLACE, PROPERTIES, ROLE
from tests.pipeline.extract.html import restatement
from tests.pipeline.extract.html.restatement import Element

INLINE_NAMES = ("a", "b", "span", "td", "math")
NAMES = (*INLINE_NAMES, "div", "p", "li", "ul", "table", "svg", "foreignobject", "x-y", "button")
OPEN = st.lists(st.builds(Element, st.sampled_from(NAMES)), max_size=8).map(
    lambda inside: [Element("html"), Element("body"), *inside]
)
CLASSES = st.sampled_from([0, P, LI | P, TABLE, ANCHOR, DIVISION, SPECIAL, NO_REOPENING])


def stack_of(elements: list[Element]) -> np.ndarray:
    """The same elements as the compiled functions keep them."""
    stack = np.zeros((len(elements), COLUMNS), dtype=np.int64)
    for row, element in zip(stack, elements, strict=True):
        row[[NAME, KIND, CLASS]] = pack_name(element.name), element.kind, element.own_class
        row[PROPERTIES] = INLINE * (element.name in INLINE_NAMES) | HTML_INSIDE * (element.name == "foreignobject")
        row[PLACE], row[ROLE] = element.number, A_LINK if element.is_link else NO_ROLE
    return stack


@given(OPEN, CLASSES, CLASSES, st.integers(0, 3), st.sampled_from(NAMES))
def test_searches_are_those_of_the_restatement(elements: list[Element], closes: int, stops: int, first: int, name: str) -> None:
    stack = stack_of(elements)
    assert open_elements.outermost(stack, len(stack), first, closes, stops) == restatement.outermost(
        elements, closes, stops, first
    )
    assert open_elements.innermost(stack, len(stack), first, pack_name(name), stops) == restatement.innermost(
        elements, name, stops, first
    )
    assert open_elements.outer_foreign(stack, len(stack)) == restatement.outer_foreign(elements)


@given(OPEN, st.integers(0, 9))
def test_an_element_that_is_not_inline_ends_a_block(elements: list[Element], index: int) -> None:
    expected = any(element.name not in INLINE_NAMES for element in elements[index:])
    assert open_elements.ends_a_block(stack_of(elements), len(elements), index) == expected


@given(OPEN.filter(lambda elements: len(elements) > 2), st.data())
def test_what_stays_open_is_what_the_restatement_keeps(elements: list[Element], data: st.DataObject) -> None:
    index = data.draw(st.integers(2, len(elements) - 1))
    for number, element in enumerate(elements):
        element.number = number
        element.is_link = element.name == "a" and data.draw(st.booleans())
    elements[data.draw(st.integers(2, len(elements) - 1))].is_left_out = data.draw(st.booleans())
    stack = stack_of(elements)
    roles = np.bincount(stack[:, ROLE], minlength=4)
    open_names = np.bincount(stack[:, NAME] & 0xFF, minlength=256)
    size = open_elements.close(stack, len(stack), restatement.shown(elements), index, roles, open_names)
    kept = restatement.close(elements, index)
    expected = stack_of(kept)
    np.testing.assert_array_equal(stack[:size], expected)
    np.testing.assert_array_equal(roles, np.bincount(expected[:, ROLE], minlength=4))
    np.testing.assert_array_equal(open_names, np.bincount(expected[:, NAME] & 0xFF, minlength=256))


def test_a_formatting_element_closes_alone_and_a_link_begins_anew() -> None:
    link = Element("a", is_link=True, number=5)
    elements = [Element("html"), Element("body"), Element("p"), Element("b"), link]
    assert [element.name for element in restatement.close(elements, 3)] == ["html", "body", "p", "a"]
    reopened = restatement.close(elements, 2)
    assert [(element.name, element.number) for element in reopened[2:]] == [("a", -1)]


def test_every_name_has_its_row_and_others_share_the_last() -> None:
    table = element_table(["x-y"])
    assert all(table[open_elements.row_of(table, pack_name(name)), NAME] == pack_name(name) for name in ("p", "svg", "x-y"))
    assert open_elements.row_of(table, pack_name("y-z")) == len(table) - 1
