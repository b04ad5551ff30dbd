"""The screen before the search for personal data: it loses no edit, and it lets few lines through."""

import importlib.util
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pii.config import PiiConfig
from pipeline.pii.kinds import KINDS, Shape
from pipeline.pii.labels import LABELS, Label
from pipeline.pii.patterns import CARD_WITH_LABEL, WORDS_FOR_AT
from pipeline.pii.screen import screen
from pipeline.pii.screen_tables import tables_of
from pipeline.pii.stage import find_personal_data, find_personal_data_batch
from tests.pipeline.pii.cases import CASES

POLICIES = [PiiConfig(), PiiConfig(policy="mask_personal_only")]
VALUES = [value for _, values in CASES for _, value in values]


def core(expression: str) -> st.SearchStrategy[str]:
    """Strings that a pattern matches if its look-arounds are ignored. Hypothesis does not read possessive repetitions."""
    written = re.sub(r"([}*])\+", r"\1", expression)
    return st.from_regex(re.sub(r"\(\?<?[=!](?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)", "", written), fullmatch=True)


FRAGMENTS = st.one_of(
    st.sampled_from([text for text, _ in CASES]),
    st.sampled_from(VALUES),
    st.sampled_from(["株式会社架空商事", "様", "東京都千代田区丸の内", "〒", "電話", "\n", "\n" + "架" * 90, "😀", "。\n"]),
    st.text("0123456789-０１９－ー 　()（）@.あ漢A:+\n\u3099\u200b", max_size=6),
    st.text(max_size=4),
)
TEXTS = st.lists(FRAGMENTS, max_size=8).map("".join)


@pytest.mark.parametrize("config", POLICIES, ids=lambda config: config.policy)
def test_no_edit_of_the_labelled_cases_is_lost(config: PiiConfig) -> None:
    texts = [text for text, _ in CASES]
    assert find_personal_data_batch(texts, config) == [find_personal_data(text, config) for text in texts]


@given(st.lists(TEXTS, max_size=4), st.sampled_from(POLICIES))
@settings(max_examples=300, deadline=None)
def test_edits_of_a_batch_are_those_of_each_text(texts: list[str], config: PiiConfig) -> None:
    assert find_personal_data_batch(texts, config) == [find_personal_data(text, config) for text in texts]


SHAPES = [(f"{kind.name}-{number}", shape) for kind in KINDS for number, shape in enumerate(kind.shapes)]


@pytest.mark.parametrize("shape", [shape for _, shape in SHAPES], ids=[name for name, _ in SHAPES])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_a_shape_takes_passes_the_screen(shape: Shape, data: st.DataObject) -> None:
    """Tested for matches that the check accepts: a number that is not in the plan of telephone numbers need not pass."""
    text = (
        data.draw(st.sampled_from(["", "大阪市北区", "IP "]))
        + data.draw(core(shape.pattern.pattern))
        + data.draw(st.sampled_from(["", "東京都"]))
    )
    if any(True for _ in shape.matches(text)):
        screened = screen([text])
        assert len(screened.lines) or screened.hides.any()


def test_a_number_is_found_in_each_of_its_neighbourhoods() -> None:
    """Each labelled value alone, after a place in the text before, split over two texts, and at the end of a text."""
    for value in VALUES:
        for texts in ([value], ["東京都千代田区", value], [value[:3], value[3:]], [f"架空\n{value}", ""]):
            assert find_personal_data_batch(texts, POLICIES[0]) == [find_personal_data(text, POLICIES[0]) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "2020年12月10日 12:30に3,980円の品を2個",
        "7.3.16.2. 構文",
        "inet 192.168.7.1 netmask、127.0.0.1 と 10.0.2.15",
        "List<java.util.List> header と a[i+1]",
        "twitter の @example_user さん",
        "0.0003557205200195 と 1081082799581409",
    ],
)
def test_what_only_looks_like_it_from_afar_is_not_searched(text: str) -> None:
    assert len(screen([text]).lines) == 0


# For each group of labels a number that is not found without a label.
LABELLED = {
    "my_number": "123456789018",
    "card": "4111111111111111",
    "account": "1234567",
    "branch": "1234567",
    "post_bank": "10010 12345671",
    "postal_mark": "1000001",
    "postal_code": "1000001",
    "ip_address": "8.8.8.8",
}


def test_a_label_that_is_added_to_the_patterns_is_added_to_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "デビット：4111111111111111"
    assert not CARD_WITH_LABEL.search(text)
    assert len(screen([text]).lines) == 0

    more = LABELS._replace(card=LABELS.card._replace(words=(*LABELS.card.words, "デビット")))
    monkeypatch.setattr("pipeline.pii.labels.LABELS", more)
    spec = importlib.util.find_spec("pipeline.pii.patterns")
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    monkeypatch.setattr("pipeline.pii.screen.TABLES", tables_of(more))
    assert copy.CARD_WITH_LABEL.search(text)
    assert len(screen([text]).lines) == 1


@pytest.mark.parametrize("group", LABELS._fields)
def test_a_label_of_any_group_is_followed_as_far_as_its_gap_reaches(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    label: Label = getattr(LABELS, group)
    texts = [f"網{'😀' * label.gap.characters}{LABELLED[group]}", f"網{'😀' * 80}{LABELLED[group]}", LABELLED[group]]
    assert len(screen(texts).lines) == 0
    monkeypatch.setattr("pipeline.pii.screen.TABLES", tables_of(LABELS._replace(**{group: label._replace(words=("網",))})))
    assert screen(texts).lines[:, 0].tolist() == [0]


@pytest.mark.parametrize("label", LABELS, ids=LABELS._fields)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_gap_is_as_long_as_its_label_says(label: Label, data: st.DataObject) -> None:
    assert len(data.draw(core(label.gap.expression))) <= label.gap.characters


def test_characters_of_two_code_units_count_once_between_a_label_and_its_number() -> None:
    for text in ("カード" + "😀" * 20 + "4111111111111111", "振込先" + "𠮷" * 20 + "1234567です"):
        assert len(find_personal_data(text, POLICIES[0])) == 1
        assert find_personal_data_batch([text], POLICIES[0]) == [find_personal_data(text, POLICIES[0])]


@pytest.mark.parametrize("word", WORDS_FOR_AT)
def test_every_word_for_an_at_passes_in_brackets(word: str) -> None:
    assert len(screen([f"連絡は suzuki({word})example.co.jp まで"]).lines) == 1


@pytest.mark.parametrize(
    "sign", ["[at]", "(AT)", "［アット］", "[@]", "( at )", "<アットマーク>", "(あっと)", "[と]", "＠", " @ ", "★"]
)
def test_every_way_of_writing_the_at_passes_as_by_itself(sign: str) -> None:
    text = f"連絡は suzuki{sign}example.co.jp まで"
    assert find_personal_data_batch([text], POLICIES[0]) == [find_personal_data(text, POLICIES[0])]


def test_a_hidden_number_is_found_in_its_text_behind_many_others() -> None:
    texts = ["架空の話。" * 60_000, "電話 090-\u200b1234-5678", "架空", "電話 090-1234-5678 と 👩\u200d👧 0\u200b3-3580-3311"]
    assert find_personal_data_batch(texts, POLICIES[0]) == [find_personal_data(text, POLICIES[0]) for text in texts]
    assert [len(edits) for edits in find_personal_data_batch(texts, POLICIES[0])] == [0, 1, 0, 2]


def test_lines_are_counted_in_code_points_of_their_text() -> None:
    found = screen(["一行", "𠮷野😀\n😀電話 090-1234-5678😀\n後"])
    assert found.lines.tolist() == [[1, 4, 22]]
    assert not found.hides.any()
