"""Measuring returns, number for number, what the plain restatement of the published rules returns."""

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measure.config import MeasureConfig
from pipeline.measure.expression_lists import ExpressionLists, read_lists
from pipeline.measure.stage import measure, measure_stored
from pipeline.measure.table import FEATURE_SCHEMA, MEASURES
from tests.pipeline.measure.restatement import (
    expression_numbers,
    gopher_numbers,
    line_numbers,
    other_numbers,
    swallow_numbers,
)

NG, ALLOWED, DATING = ("エロ", "エロ本", "死ね"), ("ピエロ", "死ねば"), ("出会い系",)
LISTS = ExpressionLists(NG, ALLOWED, DATING)

# Few characters, so that sentences and n-grams repeat, with every kind that a rule treats in its own way.
TEXTS = st.text(alphabet="あいアーヺ漢々〆𠮷、，。．！？!?・…　 \n\r\tA1１%」ピエロ本死ねば\x00\x1c", max_size=60)
EDGES = ("", "a", "。", "\n", "\n\n\n", "！？！？", "…", "　", "あ", "あ" * 9, "あ" * 10, "あ" * 11, "ab" * 40, "a\r\na\r\na")
PROSE = "朝の市場には、山で採れたきのこや川魚が並ぶ。店の人は「今日は寒いね」と笑い、湯気の立つ椀を渡してくれた……\n・道順\n"


def restated(text: str) -> dict[str, float]:
    return {
        **swallow_numbers(text),
        **gopher_numbers(text),
        **line_numbers(text),
        **other_numbers(text),
        **expression_numbers(text, NG, ALLOWED, DATING),
    }


def assert_equals_restatement(texts: list[str]) -> None:
    measured = measure(texts, LISTS)
    for index, text in enumerate(texts):
        for name, expected in restated(text).items():
            assert measured[name][index] == expected, (name, text)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_every_number_equals_the_restatement(texts: list[str]) -> None:
    assert_equals_restatement(texts)


def test_every_number_equals_the_restatement_on_edges_and_prose() -> None:
    assert_equals_restatement([*EDGES, PROSE, PROSE * 3, PROSE[::-1] * 2, *(PROSE[:n] for n in range(1, 15))])


def test_stored_texts_are_measured_in_normal_form_and_sized_as_stored() -> None:
    stored = "\n".join(f"{line}\u200b \n" for line in PROSE.split("\n"))
    measured, expected = measure_stored([stored, PROSE], [True, False], LISTS), measure([PROSE.strip()], LISTS)
    for name in set(expected) - {"n_chars", "n_bytes"}:
        assert measured[name].tolist() == [*expected[name], *expected[name]], name
    assert measured["n_chars"].tolist() == [len(stored), len(PROSE)]
    assert measured["n_bytes"].tolist() == [len(stored.encode()), len(PROSE.encode())]
    assert {name: values.dtype for name, values in measured.items()} == {name: values.dtype for name, values in expected.items()}


def test_numbers_of_long_random_texts_equal_the_restatement() -> None:
    rng = random.Random(7)
    texts = ["".join(rng.choices("あいうえおかきく。\n漢字", k=3000)) for _ in range(3)]
    texts.append("".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(3000)))
    assert_equals_restatement([*texts, "".join(texts)])


def test_the_restatement_covers_every_measure_but_compression() -> None:
    assert {measure.name for measure in MEASURES} - restated("").keys() == {"compression_ratio"}


def test_columns_have_the_order_and_types_of_the_table() -> None:
    measured = measure([PROSE, ""], LISTS)
    assert list(measured) == FEATURE_SCHEMA.names
    for field in FEATURE_SCHEMA:
        assert measured[field.name].dtype == field.type.to_pandas_dtype()
        assert measured[field.name].shape == (2,)


def test_no_texts_give_empty_columns() -> None:
    assert all(len(column) == 0 for column in measure([], LISTS).values())


def test_the_empty_text_measures_zero() -> None:
    assert {name: column[0] for name, column in measure([""], LISTS).items() if column[0]} == {}


@given(st.lists(TEXTS, min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_a_number_depends_on_its_own_text_alone(texts: list[str], rng: random.Random) -> None:
    together = measure(texts, LISTS)
    order = rng.sample(range(len(texts)), len(texts))
    shuffled = measure([texts[index] for index in order], LISTS)
    for name, column in together.items():
        np.testing.assert_array_equal(column[order], shuffled[name])


def test_repetitive_text_compresses_better_than_varied_text() -> None:
    varied = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 1000))
    repetitive, distinct = measure(["あい" * 500, varied], LISTS)["compression_ratio"]
    assert repetitive < 0.05 < 0.5 < distinct <= 1.1


def test_an_unpaired_surrogate_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        measure(["\ud840"], LISTS)


def test_documented_quirks_of_the_published_code_are_kept() -> None:
    def of(text: str) -> dict[str, float]:
        return {name: column[0] for name, column in measure([text], LISTS).items()}

    # The long vowel mark, 〆, half-width kana, brackets and kanji beyond U+FFFF are not Japanese letters.
    assert of("ー〆ｱ「」𠮷")["num_japanese_letters"] == 0
    # A full stop inside a number ends a sentence.
    assert of("３．１４です。")["num_sentences"] == 2
    # A second end mark belongs to no sentence, so these two lines are the same paragraph.
    assert of("えっ！？\nえっ！")["duplicate_paragraph_fraction"] == 0.5
    # Empty lines are paragraphs, and all but the first are duplicates.
    assert of("あ\n\nい\n\nう")["duplicate_paragraph_fraction"] == 1 / 5
    # Lines end at \n only, and white space after an ellipsis does not hide it.
    assert of("あ…　\r\nい\x85う")["num_sentences_ending_with_ellipsis"] == 1
    # Occurrences and types count, not characters.
    assert of("ababab")["top_2gram_character_fraction"] == 3 / 5
    assert of("abcdeabcde")["duplicate_5gram_character_fraction"] == 1 / 5
    assert of("abcdeabcde")["gopher_duplicate_5gram_character_fraction"] == 1.0
    assert of("ababab")["gopher_top_2gram_character_fraction"] == 1.0


@pytest.mark.parametrize(
    "text",
    ["あ" * 1_000_000, "いろは" * 333_333, "".join(map(chr, range(0x3400, 0x9000))) * 42, "あ\n" * 500_000],
    ids=["one letter", "three letters", "all kanji", "short lines"],
)
def test_a_text_of_a_million_letters_costs_no_more_a_letter_than_a_hundred_short_ones(text: str) -> None:
    def seconds(texts: list[str]) -> float:
        start = time.thread_time()
        measure(texts, LISTS)
        return time.thread_time() - start

    size = len(text) // 100
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    seconds(pieces[:1])
    # Ten times as much is allowed for data that no longer fits into the cache; quadratic work would take a hundred times as long.
    assert min(seconds([text]) for _ in range(2)) < 10 * min(seconds(pieces) for _ in range(2)) + 0.1


def test_the_bundled_lists_are_read_by_default() -> None:
    lists = read_lists(MeasureConfig())
    assert len(lists.ng) > 100
    assert len(lists.dating) > 50
    measured = measure(["無修正動画とエロ漫画の出会い系サイト", "道化のピエロが笑う"], lists)
    assert measured["num_ng_letters"].tolist() == [9, 2]
    assert measured["num_ng_letters_not_allowed"].tolist() == [9, 0]
    assert measured["has_dating_expression"].tolist() == [True, False]
