"""What is counted in the texts of blocks, against a restatement by regular expressions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.main_text.blocks import read_page
from pipeline.extract.main_text.text_features import TEXT, measure_texts
from tests.pipeline.extract.main_text.restatement import measured
from tests.pipeline.extract.pages import sample_pages

FIRST_AND_LAST = (  # of ranges of characters
    *(0x2000, 0x3001, 0x3041, 0x309F, 0x30A0, 0x30FB, 0x3100, 0x3400, 0xA000, 0xAC00, 0xD7A0, 0xF900, 0xFB00, 0xFF08, 0xFF10),
    *(0xFF19, 0xFF1F, 0xFF61, 0xFF66, 0xFF9F, 0x10000, 0x1FFFF, 0x20000),
)
EDGES = "".join(map(chr, [*range(0x21, 0x100), *(code + step for code in FIRST_AND_LAST for step in (-1, 0, 1))]))


def table_of(texts: list[str], links: list[int]) -> np.ndarray:
    """What `measure_texts` counts in each text."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    return measure_texts(codes, np.cumsum([len(text) for text in texts]), np.array(links))


def expected(texts: list[str], links: list[int]) -> np.ndarray:
    rows = [measured(text, count) for text, count in zip(texts, links, strict=True)]
    return np.array([[row[name] for name in TEXT] for row in rows], dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("かなカナ漢字ab 12", {"tokens": 8, "letters": 8, "hiragana_share": 2 / 11, "kanji_share": 2 / 11}),
        ("3.14 is pi. OK?", {"sentence_ends": 2, "ends_a_sentence": 1, "capital_share": 2 / 15}),
        ("写真：山", {"characters_before_colon": 2, "symbol_share": 1 / 4}),
        ("a|b\n「c」、", {"separators": 1, "lines": 2, "brackets": 1, "commas": 1}),
    ],
)
def test_columns_are_what_their_names_say(text: str, columns: dict[str, float]) -> None:
    (row,) = table_of([text], [0])
    for name, value in columns.items():
        assert row[TEXT.index(name)] == np.float32(value)


@given(st.lists(st.tuples(st.text(alphabet=EDGES + " \nか漢", min_size=1) | st.text(min_size=1), st.integers(0, 9)), min_size=1))
def test_counts_are_those_of_the_restatement(blocks: list[tuple[str, int]]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text, _ in blocks]
    links = [count for _, count in blocks]
    np.testing.assert_array_equal(table_of(texts, links), expected(texts, links))


def test_counts_of_real_pages_are_those_of_the_restatement() -> None:
    for html in sample_pages():
        page = read_page(html)
        if page.texts:
            np.testing.assert_array_equal(table_of(page.texts, page.link_characters), expected(page.texts, page.link_characters))
