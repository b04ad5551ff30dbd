"""Trees: their table, their scores, and the features that they ask."""

import numpy as np
import pytest

from pipeline.extract.main_text.blocks import read_page
from pipeline.extract.main_text.features import FEATURES, measure_blocks
from pipeline.extract.main_text.trees import Trees, bundled_trees, judge_blocks, read_trees, score_blocks, write_trees

PAGE = """<title>川の水車 | 山里</title><body><aside><ul><li><a href=/>ホーム</a><li><a href=/b>一覧</a></ul></aside>
<main><h1>川の水車</h1><p>川沿いの道を歩いていると、古い水車小屋が見えてきた。屋根は苔におおわれていた。</p>
<p>It weighs 3.14 tons. OK?</p></main><p>ホーム</p>"""


def feature(name: str) -> list[float]:
    """A column of the table of PAGE."""
    return [round(float(value), 4) for value in measure_blocks(read_page(PAGE))[:, FEATURES.index(name)]]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("tokens", [3, 2, 4, 36, 6, 3]),
        ("sentence_ends", [0, 0, 0, 2, 2, 0]),
        ("commas", [0, 0, 0, 1, 0, 0]),
        ("link_share", [1, 1, 0, 0, 0, 0]),
        ("ends_a_sentence", [0, 0, 0, 1, 1, 0]),
        ("repeats_a_block", [0, 0, 0, 0, 0, 1]),
        ("is_in_title", [0, 0, 1, 0, 0, 0]),
        ("blocks_since_h1", [100, 100, 0, 1, 2, 3]),
        ("blocks_to_h1", [2, 1, 0, 100, 100, 100]),
        ("blocks_since_prose", [100, 100, 100, 0, 1, 2]),
        ("sentence_ends_since_heading", [0, 0, 0, 2, 4, 4]),
        ("tokens_before", [0, 3, 5, 9, 45, 51]),
        ("tokens_after", [51, 49, 45, 9, 3, 0]),
        ("tokens_of_block_+1", [2, 4, 36, 6, 3, 0]),
        ("link_share_of_block_-2", [1, 1, 1, 1, 0, 0]),
        ("is_sibling_of_block_-1", [0, 1, 0, 1, 1, 0]),
        ("levels_to_common_element_of_block_-1", [4, 1, 2, 1, 1, 1]),
        ("tokens_of_element_1", [5, 5, 46, 46, 46, 54]),
        ("share_of_linked_blocks_of_element_2", [1, 1, 0.3333, 0.3333, 0.3333, 0.3333]),
        ("levels_to_aside", [2, 2, 30, 30, 30, 30]),
        ("levels_to_main", [30, 30, 1, 1, 1, 30]),
        ("characters_before_colon", [60] * 6),
        ("share_in_title", [0, 0, 1, 0.1111, 0, 0]),
    ],
)
def test_features_are_what_their_names_say(name: str, values: list[float]) -> None:
    assert feature(name) == values


def test_scores_are_those_of_a_plain_restatement() -> None:
    trees = bundled_trees()
    table = measure_blocks(read_page(PAGE))
    expected = []
    for row in table:
        total = 0.0
        for features, thresholds, scores in zip(*trees, strict=True):
            digits = "".join(str(int(row[column] > value)) for column, value in zip(features, thresholds, strict=True))
            total += scores[int(digits, 2)]
        expected.append(total)
    np.testing.assert_allclose(score_blocks(table, trees), expected, atol=1e-9)


def test_a_table_reads_back_as_it_was_written() -> None:
    trees = Trees(
        np.array([[0, 3], [5, 1]]), np.array([[0.5, 12], [0.0001, 7]], dtype=np.float32), np.arange(8).reshape(2, 4) / 8
    )
    for read, written in zip(read_trees(write_trees(trees)), trees, strict=True):
        np.testing.assert_array_equal(read, written)
    assert write_trees(bundled_trees()) == write_trees(read_trees(write_trees(bundled_trees())))


def test_the_article_is_main_text_and_the_navigation_is_not() -> None:
    page = read_page(PAGE)
    scores_B, letters_B = judge_blocks(page)
    lines = [text for text, score in zip(page.texts, scores_B, strict=True) if score > 0]
    assert any("水車小屋" in line for line in lines)
    assert "一覧" not in lines
    assert letters_B.tolist() == [sum(map(str.isalpha, text)) for text in page.texts]


def test_a_page_without_blocks_has_no_features_and_no_text() -> None:
    assert measure_blocks(read_page("")).shape == (0, len(FEATURES))
    assert [len(column) for column in judge_blocks(read_page(""))] == [0, 0]


def test_the_sums_before_and_after_reach_five_blocks() -> None:
    table = measure_blocks(read_page("<p>語" * 8))
    for name, values in (("tokens_before", [0, 1, 2, 3, 4, 5, 5, 5]), ("tokens_after", [5, 5, 5, 4, 3, 2, 1, 0])):
        assert table[:, FEATURES.index(name)].tolist() == values


def test_a_label_is_counted_to_its_first_colon() -> None:
    table = measure_blocks(read_page("<p>Read also: one: two<p>写真：川<p>" + "語" * 61 + ":"))
    assert table[:, FEATURES.index("characters_before_colon")].tolist() == [9, 2, 60]


def test_the_share_in_the_title_is_of_words_and_of_japanese_characters() -> None:
    table = measure_blocks(read_page("<title>The Old mill</title><p>old MILLS<p>old, old mill<p>語" + "<p>...<p>mill" * 2))
    assert table[:, FEATURES.index("share_in_title")].tolist() == [0.5, 1, 0, 0, 1, 0, 1]
