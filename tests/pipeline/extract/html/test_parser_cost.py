"""Depth, work and attributes of pages, as a parser would build them, measured in linear time."""

import time
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree, Node

from pipeline.extract.config import NESTING_RULES
from pipeline.extract.html.parser_cost import MAX_STACK, measure_nesting, nesting_depth


def failed(page: str) -> list[str]:
    """The rules that the page breaks."""
    numbers = measure_nesting(page)
    return [rule.name for rule in NESTING_RULES if rule.failures(np.array([getattr(numbers, rule.measured)]))[0][0]]


@pytest.mark.parametrize(
    ("page", "depth"),
    [
        ("", 0),
        ("text", 0),
        ("<html><head></head><body>x</body></html>", 0),
        ("<div><div>x</div></div><div></div>", 2),
        ("<div><br><img src=a><hr/><input>x", 1),
        ("<p>a<p>b<p>c", 1),
        ("<p>a<div>b", 1),
        ("<ul><li>a<li>b<li>c</ul>", 2),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", 4),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", 2),
        ("<table><tr><td>a<td>b<tr><td>c</table>", 3),
        ("<table><tbody><tr><td>a<tbody><tr><td>b</table>", 4),
        ("<table><tr><td><table><tr><td>a</table></table>", 6),
        ("<select><option>a<option>b</select>", 2),
        ("<ruby>漢<rp>(<rt>かん<rp>)</ruby>", 2),
        ("<!-- <div><div> --><div>", 1),
        ("<!doctype html><?php <div> ?><div>", 1),
        ("<script>'<div><div>'</script><style><p></style><div>", 1),
        ("<textarea><div></textarea><title><div></title>x", 0),
        ("<svg><path d=a /><g/><circle/></svg><div>", 1),
        ("<svg><g><path d=a /></g></svg>", 2),
        ("<div/><div/>", 2),
        ("<a title='>'><a title=\"<div>\">x", 1),
        ("<a href=1>x<a href=2>y<a href=3>z", 1),
        ("</div></p></b><div>", 1),
        ("1 < 2 <3 <div>", 1),
        ("<DIV><Div></dIV></DIV>", 2),
        ("<div", 1),
        ("<", 0),
        ("<td></div></td><div>", 1),
    ],
)
def test_depth(page: str, depth: int) -> None:
    assert nesting_depth(page) == depth


def test_formatting_elements_outlive_their_block_and_repeat_at_most_three_times() -> None:
    assert nesting_depth("<p><b><i>x</p><p>y</p>") == 3
    assert nesting_depth("<p><b>x" * 50) == 4
    assert nesting_depth("".join(f"<p><font color={number}>x" for number in range(50))) == 51


def test_table_cells_end_the_formatting_elements_inside() -> None:
    row = "".join(f"<td><font color={number}>x</td>" for number in range(100))
    assert nesting_depth(f"<table><tr>{row}</table>") == 4


def test_attributes_are_counted_outside_of_quotes() -> None:
    assert measure_nesting("<a href='x y z' b = \"c d\" e f=g/>").attributes == 4
    assert measure_nesting("<a b><p c=1 d>").attributes == 2
    assert measure_nesting('<p title="it\'s a=b" checked>').attributes == 2
    assert measure_nesting("<body a=1><body b=2><body c=3>").attributes == 3


def test_work_is_the_sum_of_depths() -> None:
    assert measure_nesting("<div><p>a</p><p>b<br></p></div>").work == 1 + 2 + 2 + 3
    assert measure_nesting("<div>" * 100).work == 100 * 101 // 2


@pytest.mark.parametrize(
    ("page", "rule"),
    [
        ("<div>" * 10_000, "nesting"),
        ("<table>" * 10_000, "nesting"),
        ("<a href=x><div>" * 3_000, "nesting"),
        ("<table><tr><td>" * 3_000, "nesting"),
        ("<div>" * 400 + "<p>x</p>" * 50_000, "parser_work"),
        ("<div>" * 400 + "</p>" * 50_000, "parser_work"),
        ("<p>" + "".join(f"<font color={n}>" for n in range(200)) + "</p>" + "<p>x</p>" * 5_000, "parser_work"),
        ("<div " + " ".join(f"a{n}=1" for n in range(20_000)) + ">", "attributes"),
        ("".join(f"<body a{n}=1>" for n in range(20_000)), "attributes"),
    ],
)
def test_pages_that_choke_the_extractor_are_found(page: str, rule: str) -> None:
    assert failed(page) == [rule]


@pytest.mark.parametrize(
    "page",
    [
        "<p>x" * 100_000,
        "<ul>" + "<li><a href=#>x</a></li>" * 100_000 + "</ul>",
        "<table>" + "<tr><td>x<td>y" * 100_000 + "</table>",
        "<b><i>" * 100_000,
        "x<br>" * 100_000,
        "<font color=red>x" * 10_000,
    ],
)
def test_long_pages_that_are_flat_are_kept(page: str) -> None:
    assert failed(page) == []


@pytest.mark.parametrize("unit", ["<div>", "</div>", "<a b='", "<!--", "<script>", "<b c=1>", "</b>", "<", "<p></b>", "x"])
def test_time_is_linear_in_the_page(unit: str) -> None:
    measure_nesting(unit)
    start = time.perf_counter()
    measure_nesting(unit * (2_000_000 // len(unit)))
    # Tens of milliseconds where it is linear; a quadratic pass would take minutes.
    assert time.perf_counter() - start < 2


class Restated(HTMLParser):
    """Depth by the standard library's parser, for pages whose tags are all closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open = self.depth = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open += 1
        self.depth = max(self.depth, self.open)

    def handle_endtag(self, tag: str) -> None:
        self.open -= 1


TREES = st.recursive(
    st.sampled_from(["x", "あ", " ", "<!-- <div> -->"]),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag} id='<i>'>{''.join(parts)}</{tag}>",
        st.sampled_from(["div", "section", "span", "article", "main", "custom-element", "ul", "dl"]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=30,
)


@given(TREES)
def test_well_formed_trees_have_the_depth_that_a_parser_finds(page: str) -> None:
    restated = Restated()
    restated.feed(page)
    assert nesting_depth(page) == restated.depth


def depth_of_tree(page: str) -> int:
    """Depth of the body that lexbor builds, in elements."""
    tree = HTMLTree.parse(page)
    assert tree.body is not None
    deepest = 0
    level: list[Node] = [tree.body]
    while level := [child for node in level for child in node.child_nodes if not str(child.tag).startswith("#")]:
        deepest += 1
    return deepest


TAGS = ["div", "p", "a", "ul", "li", "dl", "dt", "dd", "table", "tr", "td", "option", "br", "img", "h1", "button"]
SOUP = [f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS] + ["x"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SOUP), max_size=8).map("".join))
def test_soup_of_tags_is_not_taken_for_much_flatter_than_it_is(unit: str) -> None:
    page = unit * 20
    # The parser makes up at most two elements for each that the pass sees, tbody and tr around a stray cell.
    assert depth_of_tree(page) <= 2 * nesting_depth(page) + 8


@given(st.text() | st.text(alphabet="<>/!-='\"abp ") | st.just("\ud800<div>"))
def test_any_text_is_measured(page: str) -> None:
    depth, work, attributes = measure_nesting(page)
    assert 0 <= depth <= MAX_STACK
    assert work >= depth
    assert attributes >= 0
