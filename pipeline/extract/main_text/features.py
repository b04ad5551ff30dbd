"""The features of every block of a page: a table of numbers, on which the trees of `trees` decide.

Lengths are counted in tokens, so that Japanese and English pages are comparable: each kana, Chinese character or hangul is a
token, and each word of any other script. The features of a block describe its own text, the blocks before and after it, how much
text and how many links the elements around it contain, and how many levels up the nearest element of each tag and of each kind of
class name is. The idea of judging blocks by their density of text and links, and by those of their
neighbours, is that of Kohlschütter, Fankhauser, Nejdl: Boilerplate Detection using Shallow Text Features (WSDM 2010).

Shapes: B blocks, E elements, T tags and kinds of words, C columns.
"""

import numpy as np

from pipeline.compiled import njit
from pipeline.extract.main_text.blocks import TAGS, Page
from pipeline.extract.main_text.class_names import OF_THE_TREES, WORD_KINDS
from pipeline.extract.main_text.cues import CUE_FEATURES, measure_cues
from pipeline.extract.main_text.layout_features import LAYOUT, depth_of_common, measure_layout
from pipeline.extract.main_text.text_features import TEXT, measure_texts, share_in_title

_TOKENS, _HIRAGANA, _SENTENCE_ENDS, _LINK_SHARE = map(TEXT.index, ("tokens", "hiragana_share", "sentence_ends", "link_share"))
_PLACE = (
    "tag", "depth", "share_of_blocks_before", "share_of_tokens_before", "blocks_on_page", "tokens_on_page",
    "link_share_of_page", "sentence_ends_on_page", "hiragana_share_of_page", "articles_on_page", "repeats_a_block",
    "is_in_title", "blocks_since_h1", "blocks_to_h1", "blocks_since_prose", "blocks_to_prose", "sentence_ends_since_heading",
)  # fmt: skip
_AROUND = ("tokens", "sentence_ends", "link_share")
_WINDOW = 5  # blocks before and after that are summed
_NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
_OF_NEIGHBOUR = ("tokens", "link_share", "sentence_ends", "tag", "is_sibling", "levels_to_common_element")
_LEVELS = (0, 1, 2, 3, 5)  # of elements above a block that are summed
_OF_ELEMENT = ("tokens", "link_share", "sentence_ends", "blocks", "share_of_page", "share_of_linked_blocks")
FEATURES = (
    *TEXT,
    *_PLACE,
    *(f"{name}_{side}" for side in ("before", "after") for name in _AROUND),
    *(f"{name}_of_block_{offset:+d}" for offset in _NEIGHBOURS for name in _OF_NEIGHBOUR),
    *(f"{name}_of_element_{level}" for level in _LEVELS for name in _OF_ELEMENT),
    *(f"levels_to_{tag}" for tag in TAGS[1:]),
    *(f"levels_to_{kind}_word" for kind in WORD_KINDS),
    *LAYOUT,
    *CUE_FEATURES,
    "share_in_title",
)
_H1, _H6 = TAGS.index("h1"), TAGS.index("h6")
_FAR = 30  # levels to a missing element: more than to any that matters, and fits 8 bits
_LONG_AGO = 100  # blocks to a missing one
_PROSE_TOKENS, _PROSE_LINK_SHARE = 20, 0.3  # prose has at least so many tokens, a sentence end and a smaller share of links


def measure_blocks(page: Page) -> np.ndarray:
    """The FEATURES of every block of a page, float32, shape (B, C)."""
    if not page.texts:
        return np.zeros((0, len(FEATURES)), dtype=np.float32)
    codes, title = (np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32) for text in ("".join(page.texts), page.title))
    ends_B = np.cumsum([len(text) for text in page.texts])
    text_BC = measure_texts(codes, ends_B, np.array(page.link_characters))
    holders_B, parents_E, tags_E, words_E = map(np.array, (page.holders, page.parents, page.tags, page.words))
    words_E &= OF_THE_TREES
    depths_E, levels_ET = _levels_to_ancestors(parents_E, tags_E, words_E, len(TAGS) - 1, len(WORD_KINDS))
    values_BC = text_BC[:, [_TOKENS, _LINK_SHARE, _SENTENCE_ENDS]]
    is_prose_B = (values_BC[:, 0] >= _PROSE_TOKENS) & (values_BC[:, 1] < _PROSE_LINK_SHARE) & (values_BC[:, 2] >= 1)
    parts = [
        text_BC,
        _place(page, text_BC, is_prose_B, tags_E[holders_B], depths_E[holders_B]),
        _around(text_BC),
        _neighbours(values_BC, holders_B, parents_E, tags_E, depths_E),
        _elements(values_BC, values_BC[:, 0].sum(), holders_B, parents_E),
        levels_ET[holders_B],
        measure_layout(values_BC, is_prose_B, holders_B, parents_E, words_E * len(TAGS) + tags_E, depths_E),
        measure_cues(page.texts),
        share_in_title(codes, ends_B, title)[:, None],
    ]
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def _place(page: Page, text_BC: np.ndarray, is_prose_B: np.ndarray, tags_B: np.ndarray, depths_B: np.ndarray) -> np.ndarray:
    """The columns of _PLACE."""
    tokens_B = text_BC[:, _TOKENS]
    seen: set[str] = set()
    texts_BC = np.zeros((len(page.texts), 2))
    title = page.title.casefold()  # cannot contain a longer text
    for number, text in enumerate(page.texts):
        if text in seen:
            texts_BC[number, 0] = 1
        seen.add(text)
        if 3 < len(text) <= len(title) and text.casefold() in title:
            texts_BC[number, 1] = 1
    shares = [(tokens_B * text_BC[:, column]).sum() / max(1.0, tokens_B.sum()) for column in (_LINK_SHARE, _HIRAGANA)]
    of_page = np.array([*shares, page.tags.count(TAGS.index("article"))])
    table_BC: np.ndarray = _write_place(tokens_B, text_BC[:, _SENTENCE_ENDS], is_prose_B, tags_B, depths_B, of_page, texts_BC)
    return table_BC


@njit(nogil=True)
def _write_place(
    tokens_B: np.ndarray,
    ends_B: np.ndarray,
    is_prose_B: np.ndarray,
    tags_B: np.ndarray,
    depths_B: np.ndarray,
    of_page: np.ndarray,
    texts_BC: np.ndarray,
) -> np.ndarray:
    blocks = len(tokens_B)
    table_BC = np.empty((blocks, len(_PLACE)), dtype=np.float32)
    tokens, sentence_ends = max(1.0, tokens_B.sum()), ends_B.sum()
    link_share, hiragana_share, articles = of_page
    before = ended = ended_before_heading = 0.0
    h1 = prose = -_LONG_AGO
    for block in range(blocks):
        if tags_B[block] == _H1:
            h1 = block
        if is_prose_B[block]:
            prose = block
        if _H1 <= tags_B[block] <= _H6:
            ended_before_heading = ended
        ended += ends_B[block]
        row = table_BC[block]
        row[0], row[1], row[2] = tags_B[block], depths_B[block], block / blocks
        row[3] = np.float32(before) / np.float32(tokens)
        row[4], row[5], row[6], row[7] = blocks, tokens, link_share, sentence_ends
        row[8], row[9] = hiragana_share, articles
        row[10], row[11] = texts_BC[block]
        row[12], row[14] = min(block - h1, _LONG_AGO), min(block - prose, _LONG_AGO)
        row[16] = ended - ended_before_heading
        before += tokens_B[block]
    h1 = prose = blocks + _LONG_AGO
    for block in range(blocks - 1, -1, -1):
        if tags_B[block] == _H1:
            h1 = block
        if is_prose_B[block]:
            prose = block
        table_BC[block, 13], table_BC[block, 15] = min(h1 - block, _LONG_AGO), min(prose - block, _LONG_AGO)
    return table_BC


@njit(nogil=True)
def _around(text_BC: np.ndarray) -> np.ndarray:
    """The columns of _AROUND, before and after, as differences of cumulative sums."""
    blocks, values = len(text_BC), len(_AROUND)
    sums_BC = np.zeros((blocks + 1, values))
    table_BC = np.empty((blocks, 2 * values), dtype=np.float32)
    for value, column in enumerate((_TOKENS, _SENTENCE_ENDS, _LINK_SHARE)):
        for block in range(blocks):
            sums_BC[block + 1, value] = sums_BC[block, value] + text_BC[block, column]
        for block in range(blocks):
            first, last = max(block - _WINDOW, 0), min(block + _WINDOW + 1, blocks)
            table_BC[block, value] = sums_BC[block, value] - sums_BC[first, value]
            table_BC[block, values + value] = sums_BC[last, value] - sums_BC[block + 1, value]
    return table_BC


@njit(nogil=True)
def _sums_of_elements(values_BC: np.ndarray, holders_B: np.ndarray, parents_E: np.ndarray) -> np.ndarray:
    """The sums of `values_BC` over the blocks in each element, shape (E, C). Parents come before children."""
    sums_EC = np.zeros((len(parents_E), values_BC.shape[1]))
    for block in range(len(holders_B)):
        sums_EC[holders_B[block]] += values_BC[block]
    for element in range(len(parents_E) - 1, 0, -1):
        if parents_E[element] >= 0:
            sums_EC[parents_E[element]] += sums_EC[element]
    return sums_EC


@njit(nogil=True)
def _neighbours(
    values_BC: np.ndarray, holders_B: np.ndarray, parents_E: np.ndarray, tags_E: np.ndarray, depths_E: np.ndarray
) -> np.ndarray:
    """The columns of _OF_NEIGHBOUR for each of _NEIGHBOURS. `values_BC`: tokens, share of links and ends of sentences."""
    blocks = len(holders_B)
    table_BC = np.empty((blocks, 6 * len(_NEIGHBOURS)), dtype=np.float32)
    numbers_B = np.arange(blocks)
    for number, offset in enumerate(_NEIGHBOURS):
        others_B = np.minimum(np.maximum(numbers_B + offset, 0), blocks - 1)
        common_B = depth_of_common(holders_B, holders_B[others_B], parents_E, depths_E)
        for block in range(blocks):
            row, holder = table_BC[block, 6 * number : 6 * number + 6], holders_B[block]
            other = holders_B[others_B[block]]
            if 0 <= block + offset < blocks:
                row[:3] = values_BC[block + offset]
                row[3] = tags_E[other]
                row[4] = parents_E[other] == parents_E[holder]
                row[5] = depths_E[holder] - common_B[block]
            else:
                row[0], row[1], row[2], row[3], row[4], row[5] = 0, 1, 0, -1, 0, depths_E[holder]
    return table_BC


@njit(nogil=True)
def _elements(values_BC: np.ndarray, tokens_on_page: float, holders_B: np.ndarray, parents_E: np.ndarray) -> np.ndarray:
    """The columns of _OF_ELEMENT for each of _LEVELS; the top element replaces missing ones. `values_BC` as in `_neighbours`."""
    summed_BC = np.ones((len(holders_B), 5))  # tokens, those of links, ends of sentences, blocks, blocks of links
    for block in range(len(holders_B)):
        tokens, links, ends = values_BC[block]
        summed_BC[block, 0], summed_BC[block, 1], summed_BC[block, 2] = tokens, tokens * links, ends
        summed_BC[block, 4] = links > 0.5
    sums_EC = _sums_of_elements(summed_BC, holders_B, parents_E)
    table_BC = np.empty((len(holders_B), 6 * len(_LEVELS)), dtype=np.float32)
    for block in range(len(holders_B)):
        element = holders_B[block]
        climbed = 0
        for number, level in enumerate(_LEVELS):
            while climbed < level and parents_E[element] >= 0:
                element = parents_E[element]
                climbed += 1
            tokens, links, ends, shown, linked = sums_EC[element]
            row = table_BC[block, 6 * number : 6 * number + 6]
            row[0], row[1], row[2], row[3] = tokens, links / max(1, tokens), ends, shown
            row[4], row[5] = tokens / max(1, tokens_on_page), linked / max(1, shown)
    return table_BC


@njit(nogil=True)
def _levels_to_ancestors(
    parents_E: np.ndarray, tags_E: np.ndarray, words_E: np.ndarray, tags: int, kinds: int
) -> tuple[np.ndarray, np.ndarray]:
    """The depth of each element, shape (E), and the levels up to the nearest one of each tag and kind, shape (E, T)."""
    depths_E = np.zeros(len(parents_E), dtype=np.int64)
    levels_ET = np.full((len(parents_E), tags + kinds), _FAR, dtype=np.int8)
    for element in range(len(parents_E)):
        parent = parents_E[element]
        if parent >= 0:
            depths_E[element] = depths_E[parent] + 1
            for column in range(tags + kinds):
                levels_ET[element, column] = min(_FAR, levels_ET[parent, column] + 1)
        if tags_E[element] > 0:
            levels_ET[element, tags_E[element] - 1] = 0
        for kind in range(kinds):
            if (words_E[element] >> kind) & 1:
                levels_ET[element, tags + kind] = 0
    return depths_E, levels_ET
