"""Regular expressions as trees."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clean.line_expressions import Chain, Choice, Letter, Node, PatternError, Repeated, read_expression


def written(node: Node) -> str:
    """The regular expression that a tree means."""
    if isinstance(node, Letter):
        return "[" + "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in node.ranges) + "]"
    if isinstance(node, Chain):
        return "".join(f"(?:{written(part)})" for part in node.parts)
    if isinstance(node, Choice):
        return "|".join(map(written, node.options))
    return f"(?:{written(node.part)}){{{node.least},{'' if node.most is None else node.most}}}"


@pytest.mark.parametrize(
    "pattern",
    [
        "続き(は|を)こちら(から)?",
        "[^、，]{1,3}の(更新|最新)",
        "[a-c\\]\\-x-]+|b*c{2}|.a{1,}",
        "\\[?(Read|Show) [Mm]ore\\]?",
        "(?:\\s|\\t|\\u3042|\\.)a",
    ],
)
@given(st.data())
def test_a_tree_takes_what_its_expression_takes(pattern: str, data: st.DataObject) -> None:
    line = data.draw(
        st.from_regex(pattern, fullmatch=True, alphabet=st.characters(max_codepoint=0xFFFF))
        | st.text("続きはをこちら、の更新abcx-] \t.あ")
    )
    tree = re.compile(written(read_expression(pattern)))
    assert (tree.fullmatch(line) is not None) == (re.fullmatch(pattern, line) is not None)


def test_a_word_character_is_any_letter_beyond_ascii_and_a_look_ahead_asks_nothing() -> None:
    assert read_expression("(?=a)b") == Chain((Chain(()), Letter(((98, 98),))))
    tree = re.compile(written(read_expression("\\w")))
    assert all(tree.fullmatch(sign) for sign in "a_Z9あ。")
    assert not any(tree.fullmatch(sign) for sign in "-. #")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a+?", "lazy or possessive"),
        ("a*+", "lazy or possessive"),
        ("(?!a)b", "not read here"),
        ("^a", "not read here"),
        ("a)b", "closes nothing"),
        ("(a", "should close a group"),
        ("(?=a", "should close a look-ahead"),
        ("[a", "should go on"),
        ("a\\", "should go on"),
        ("\\da", "follows \\d"),
        ("[^\\w]", "cannot be negated"),
        ("😀", "two code units"),
    ],
)
def test_other_syntax_is_refused_with_the_place(pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=re.escape(repr(pattern))) as error:
        read_expression(pattern)
    assert message in str(error.value)


def test_repetitions_keep_their_bounds() -> None:
    a = Letter(((97, 97),))
    for pattern, least, most in (
        ("a?", 0, 1),
        ("a*", 0, None),
        ("a+", 1, None),
        ("a{3}", 3, 3),
        ("a{2,}", 2, None),
        ("a{0,4}", 0, 4),
    ):
        assert read_expression(pattern) == Chain((Repeated(a, least, most),))
