"""Trees: their table and their scores."""

import numpy as np

from pipeline.extract.main_text.blocks import read_page
from pipeline.extract.main_text.features import FEATURES, measure_blocks
from pipeline.extract.main_text.trees import Trees, bundled_trees, judge_blocks, read_trees, score_blocks, write_trees

PAGE = """<title>川の水車 | 山里</title><body><aside><ul><li><a href=/>ホーム</a><li><a href=/b>一覧</a></ul></aside>
<main><h1>川の水車</h1><p>川沿いの道を歩いていると、古い水車小屋が見えてきた。屋根は苔におおわれていた。</p>
<p>It weighs 3.14 tons. OK?</p></main><p>ホーム</p>"""


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
