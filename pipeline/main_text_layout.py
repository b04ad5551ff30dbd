"""Where a block stands in the layout of its page: numbers that ask which element holds the text, and which blocks are alike.

Two questions tell main text from the rest better than any name of a class. How far is a block from the element that holds the
prose of the page, and does it come before, within or after that prose? And what is the sum of all blocks that the same
template wrote, those whose elements up to the top have the same tags and kinds of words: the paragraphs of an article are one
such group, the teasers below it another, however long a single teaser is.

The container is found by the idea of Arc90's Readability (2009; Mozilla's readability.js, `_grabArticle`): a paragraph speaks
for the element around it, and half as much for the one around that.

Shapes: B blocks, E elements, G groups of blocks.
"""

import numba
import numpy as np

_CONTAINER = (
    "levels_below_common_with_container", "levels_of_container_below_common", "container_share_of_page", "prose_share_of_page",
    "share_of_prose_before", "share_of_container_prose_before", "blocks_since_prose_began", "blocks_until_prose_ends",
)  # fmt: skip
_OF_GROUP = ("blocks", "tokens_per_block", "link_share", "sentence_ends_per_block", "share_of_page")
LAYOUT = (*_CONTAINER, *(f"{name}_of_same_{what}" for what in ("path", "holder_and_parent") for name in _OF_GROUP))
_FAR = 100  # blocks from the prose; more than that tells nothing more


def measure_layout(
    values_BC: np.ndarray,
    is_prose_B: np.ndarray,
    holders_B: np.ndarray,
    parents_E: np.ndarray,
    kinds_E: np.ndarray,
    depths_E: np.ndarray,
) -> list[np.ndarray]:
    """The columns of LAYOUT. `values_BC` are a block's tokens, share of links and ends of sentences, `kinds_E` numbers that
    are equal where elements have the same tag and words."""
    tokens_B, links_B, ends_B = values_BC.T.astype(np.float64)
    columns = _by_container(tokens_B, is_prose_B, holders_B, parents_E, depths_E)
    for paths_E in _paths(parents_E, kinds_E):
        columns += _by_group(tokens_B, links_B, ends_B, paths_E[holders_B])
    return columns


def _by_container(
    tokens_B: np.ndarray, is_prose_B: np.ndarray, holders_B: np.ndarray, parents_E: np.ndarray, depths_E: np.ndarray
) -> list[np.ndarray]:
    """The columns of _CONTAINER."""
    blocks, tokens = len(tokens_B), max(1.0, tokens_B.sum())
    prose_B = tokens_B * is_prose_B
    container = int(np.argmax(_prose_around(np.bincount(holders_B, prose_B, len(parents_E)), parents_E)))
    common_B = depth_of_common(holders_B, np.full(blocks, container), parents_E, depths_E)
    is_inside_B = common_B == depths_E[container]
    inside_B = np.flatnonzero(is_inside_B & is_prose_B)
    first, last = (inside_B[0], inside_B[-1]) if len(inside_B) else (0, blocks - 1)
    numbers_B = np.arange(blocks)
    return [
        depths_E[holders_B] - common_B,
        depths_E[container] - common_B,
        np.full(blocks, (tokens_B @ is_inside_B) / tokens),
        np.full(blocks, prose_B.sum() / tokens),
        _share_before(prose_B),
        _share_before(prose_B * is_inside_B),
        np.clip(numbers_B - first, -_FAR, _FAR),
        np.clip(last - numbers_B, -_FAR, _FAR),
    ]


def _share_before(values_B: np.ndarray) -> np.ndarray:
    """The share of the sum of `values_B` that stands before each block."""
    sums_B = np.cumsum(values_B)
    shares_B: np.ndarray = (sums_B - values_B) / max(1.0, sums_B[-1])
    return shares_B


def _by_group(tokens_B: np.ndarray, links_B: np.ndarray, ends_B: np.ndarray, paths_B: np.ndarray) -> list[np.ndarray]:
    """The columns of _OF_GROUP for the blocks whose `paths_B` are equal."""
    groups_B = np.unique(paths_B, return_inverse=True)[1]
    blocks_G, tokens_G, linked_G, ends_G = (
        np.bincount(groups_B, weights_B) for weights_B in (None, tokens_B, tokens_B * links_B, ends_B)
    )
    columns_G = (
        blocks_G,
        tokens_G / blocks_G,
        linked_G / np.maximum(1, tokens_G),
        ends_G / blocks_G,
        tokens_G / max(1.0, tokens_B.sum()),
    )
    return [column_G[groups_B] for column_G in columns_G]


@numba.njit(cache=True, nogil=True)
def _prose_around(prose_E: np.ndarray, parents_E: np.ndarray) -> np.ndarray:
    """How much each element's children and, by half, their children hold of the prose that `prose_E` says elements hold."""
    around_E = np.zeros(len(prose_E))
    for element in range(len(prose_E)):
        parent = parents_E[element]
        if parent < 0:
            around_E[element] += prose_E[element]
            continue
        around_E[parent] += prose_E[element]
        if parents_E[parent] >= 0:
            around_E[parents_E[parent]] += prose_E[element] / 2
    return around_E


@numba.njit(cache=True, nogil=True)
def _paths(parents_E: np.ndarray, kinds_E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that are equal where the kinds of an element and all above it are, and where its own and its parent's are."""
    factor = np.int64(6364136223846793005)  # of Knuth's generator MMIX: products spread over all 64 bits
    all_E = np.zeros(len(parents_E), dtype=np.int64)
    two_E = np.zeros(len(parents_E), dtype=np.int64)
    for element in range(len(parents_E)):
        parent = parents_E[element]
        all_E[element] = (all_E[parent] if parent >= 0 else 0) * factor + kinds_E[element] + 1
        two_E[element] = (kinds_E[parent] + 1 if parent >= 0 else 0) * factor + kinds_E[element]
    return all_E, two_E


@numba.njit(cache=True, nogil=True)
def depth_of_common(left_B: np.ndarray, right_B: np.ndarray, parents_E: np.ndarray, depths_E: np.ndarray) -> np.ndarray:
    """The depth of the innermost element that holds both. An element's number is greater than that of its parent."""
    found_B = np.zeros(len(left_B), dtype=np.int64)
    for block in range(len(left_B)):
        left = left_B[block]
        right = right_B[block]
        while left != right:
            if left > right:
                left = parents_E[left]
            else:
                right = parents_E[right]
        found_B[block] = depths_E[left] if left >= 0 else 0
    return found_B
