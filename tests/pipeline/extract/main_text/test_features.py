"""Features of blocks: what their names say, and restatements of sums and neighbours on plain lists."""

import numpy as np
import pytest

from pipeline.extract.main_text.blocks import TAGS, Page, read_page
from pipeline.extract.main_text.class_names import WORD_KINDS
from pipeline.extract.main_text.features import FEATURES, measure_blocks
from tests.pipeline.extract.pages import sample_pages

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


def ancestors(page: Page, block: int) -> list[int]:
    """The elements around a block, the innermost first."""
    found, element = [], page.holders[block]
    while element >= 0:
        found.append(element)
        element = page.parents[element]
    return found


def around_restated(page: Page, table: np.ndarray) -> dict[str, list[float]]:
    """The sums over the blocks before and after, and the features of neighbours."""
    columns: dict[str, list[float]] = {}
    blocks = range(len(page.texts))
    above = [ancestors(page, block) for block in blocks]
    for name in ("tokens", "sentence_ends", "link_share"):
        values = table[:, FEATURES.index(name)].astype(float)
        columns[f"{name}_before"] = [sum(values[max(0, block - 5) : block]) for block in blocks]
        columns[f"{name}_after"] = [sum(values[block + 1 : block + 6]) for block in blocks]
        for offset in (-3, -2, -1, 1, 2, 3):
            nothing = 1 if name == "link_share" else 0
            is_there = [0 <= block + offset < len(blocks) for block in blocks]
            columns[f"{name}_of_block_{offset:+d}"] = [values[block + offset] if is_there[block] else nothing for block in blocks]
            others = [above[block + offset] if is_there[block] else [] for block in blocks]
            columns[f"levels_to_common_element_of_block_{offset:+d}"] = [
                next((level for level, element in enumerate(own) if element in other), len(own) - 1)
                for own, other in zip(above, others, strict=True)
            ]
    return columns


def elements_restated(page: Page, table: np.ndarray) -> dict[str, list[float]]:
    """The sums over the elements above each block, and the levels to the nearest one of each tag and kind of words."""
    columns: dict[str, list[float]] = {}
    tokens, links, ends = (table[:, FEATURES.index(name)].astype(float) for name in ("tokens", "link_share", "sentence_ends"))
    above = [ancestors(page, block) for block in range(len(page.texts))]
    for level in (0, 1, 2, 3, 5):
        elements = [own[min(level, len(own) - 1)] for own in above]
        inside = [[block for block, own in enumerate(above) if element in own] for element in elements]
        columns[f"tokens_of_element_{level}"] = [sum(tokens[blocks]) for blocks in inside]
        columns[f"sentence_ends_of_element_{level}"] = [sum(ends[blocks]) for blocks in inside]
        columns[f"blocks_of_element_{level}"] = [len(blocks) for blocks in inside]
        shares = [sum(tokens[blocks] * links[blocks]) / max(1, sum(tokens[blocks])) for blocks in inside]
        columns[f"link_share_of_element_{level}"] = shares
        columns[f"share_of_linked_blocks_of_element_{level}"] = [sum(links[blocks] > 0.5) / len(blocks) for blocks in inside]
    for number, tag in enumerate(TAGS[1:], 1):
        tags = [[page.tags[element] for element in own] for own in above]
        columns[f"levels_to_{tag}"] = [min(own.index(number), 30) if number in own else 30 for own in tags]
    for bit, kind in enumerate(WORD_KINDS):
        has_kind = [[page.words[element] >> bit & 1 for element in own] for own in above]
        columns[f"levels_to_{kind}_word"] = [min(own.index(1), 30) if 1 in own else 30 for own in has_kind]
    return columns


def test_sums_and_neighbours_of_real_pages_are_those_of_a_plain_restatement() -> None:
    for html in sample_pages()[::4]:
        page = read_page(html)
        table = measure_blocks(page)
        for name, values in (around_restated(page, table) | elements_restated(page, table)).items():
            np.testing.assert_allclose(table[:, FEATURES.index(name)], values, atol=1e-3, err_msg=name)
