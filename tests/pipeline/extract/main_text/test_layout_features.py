"""The place of blocks in the layout of their page, against plain restatements on random trees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.main_text.blocks import read_page
from pipeline.extract.main_text.features import FEATURES, measure_blocks
from pipeline.extract.main_text.layout_features import LAYOUT, depth_of_common, measure_layout

# 24 tokens, which is prose; the other blocks have 3, 2, 1, 2 and 2.
SENTENCE = "川沿いの道を歩いていると、古い水車小屋が見えてきた。"
PAGE = f"""<body><ul><li><a href=/>ホーム</a><li><a href=/b>一覧</a></ul><div><h1>川</h1><p>{SENTENCE}<p>短い<p>{SENTENCE}
</div><section><p>宣伝</section>"""


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("levels_below_common_with_container", [2, 2, 1, 1, 1, 1, 2]),
        ("levels_of_container_below_common", [1, 1, 0, 0, 0, 0, 1]),
        ("container_share_of_page", [51 / 58] * 7),
        ("prose_share_of_page", [48 / 58] * 7),
        ("share_of_prose_before", [0, 0, 0, 0, 0.5, 0.5, 1]),
        ("share_of_container_prose_before", [0, 0, 0, 0, 0.5, 0.5, 1]),
        ("blocks_since_prose_began", [-3, -2, -1, 0, 1, 2, 3]),
        ("blocks_until_prose_ends", [5, 4, 3, 2, 1, 0, -1]),
        ("blocks_of_same_path", [2, 2, 1, 3, 3, 3, 1]),
        ("link_share_of_same_path", [1, 1, 0, 0, 0, 0, 0]),
        ("sentence_ends_per_block_of_same_path", [0, 0, 0, 0.6667, 0.6667, 0.6667, 0]),
    ],
)
def test_layout_is_what_its_names_say(name: str, values: list[float]) -> None:
    column = measure_blocks(read_page(PAGE))[:, FEATURES.index(name)]
    np.testing.assert_allclose(column, values, atol=1e-4)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[int], list[int], list[int], list[int], list[bool]]:
    """Parents and kinds of elements; holders and tokens of blocks, and whether they are prose."""
    parents = [-1, *(draw(st.integers(0, number)) for number in range(draw(st.integers(0, 8))))]
    kinds = [draw(st.integers(0, 2)) for _ in parents]
    blocks = range(draw(st.integers(1, 8)))
    holders = [draw(st.integers(0, len(parents) - 1)) for _ in blocks]
    return parents, kinds, holders, [draw(st.integers(1, 9)) for _ in blocks], [draw(st.booleans()) for _ in blocks]


def path(element: int, parents: list[int]) -> list[int]:
    """The element and its ancestors, innermost first."""
    return [] if element < 0 else [element, *path(parents[element], parents)]


@settings(deadline=None)  # the first example compiles
@given(layouts())
def test_container_and_groups_are_those_of_a_plain_restatement(
    layout: tuple[list[int], list[int], list[int], list[int], list[bool]],
) -> None:
    parents, kinds, holders, tokens, is_prose = layout
    depths = [len(path(element, parents)) - 1 for element in range(len(parents))]
    values = np.stack([tokens, np.zeros(len(tokens)), np.ones(len(tokens))], axis=1)
    columns = dict(
        zip(LAYOUT, measure_layout(values, *map(np.array, (is_prose, holders, parents, kinds, depths))).T, strict=True)
    )
    scores = [0.0] * len(parents)
    for holder, size, counts in zip(holders, tokens, is_prose, strict=True):
        above = path(holder, parents)[1:3] or [holder]
        for element, weight in zip(above, (1, 0.5), strict=False):
            scores[element] += size * weight * counts
    container = scores.index(max(scores))
    inside = [container in path(holder, parents) for holder in holders]
    share = sum(size for size, is_in in zip(tokens, inside, strict=True) if is_in) / sum(tokens)
    assert columns["container_share_of_page"] == pytest.approx([share] * len(tokens))
    assert (columns["levels_of_container_below_common"] == 0).tolist() == inside
    for what, length in (("path", None), ("holder_and_parent", 2)):
        paths = [tuple(kinds[element] for element in path(holder, parents)[:length]) for holder in holders]
        assert columns[f"blocks_of_same_{what}"].tolist() == [paths.count(one) for one in paths]
        sums = [sum(size for size, other in zip(tokens, paths, strict=True) if other == one) for one in paths]
        assert columns[f"share_of_page_of_same_{what}"] == pytest.approx(np.array(sums) / sum(tokens))


@given(layouts(), st.data())
def test_the_common_element_is_the_innermost_above_both(
    layout: tuple[list[int], list[int], list[int], list[int], list[bool]], data: st.DataObject
) -> None:
    parents, _, left, _, _ = layout
    right = [data.draw(st.integers(0, len(parents) - 1)) for _ in left]
    depths = [len(path(element, parents)) - 1 for element in range(len(parents))]
    expected = [
        max(depths[element] for element in set(path(one, parents)) & set(path(other, parents)))
        for one, other in zip(left, right, strict=True)
    ]
    assert depth_of_common(*map(np.array, (left, right, parents, depths))).tolist() == expected
