"""The position of a block in the layout of its page: its distance from the element that contains the prose, and similar blocks.

Two questions tell main text from the rest better than any class name. How far is a block from the element that contains the prose
of the page, and is it before, within or after that prose? And how much text do all blocks of the same template have, that is, all
blocks whose elements up to the top have the same tags and kinds of words? The paragraphs of an article are one such group, the
teasers below it another, however long a single teaser is.

The container is found as in Arc90's Readability (2009; Mozilla's readability.js, `_grabArticle`): a paragraph scores for its
parent element, and half as much for its grandparent.

Shapes: B blocks, E elements, G groups of blocks.
"""

import numpy as np

from pipeline.compiled import njit

_CONTAINER = (
    "levels_below_common_with_container", "levels_of_container_below_common", "container_share_of_page", "prose_share_of_page",
    "share_of_prose_before", "share_of_container_prose_before", "blocks_since_prose_began", "blocks_until_prose_ends",
)  # fmt: skip
_OF_GROUP = ("blocks", "tokens_per_block", "link_share", "sentence_ends_per_block", "share_of_page")
LAYOUT = (*_CONTAINER, *(f"{name}_of_same_{what}" for what in ("path", "holder_and_parent") for name in _OF_GROUP))
_FAR = 100  # blocks from the prose; larger distances are clipped, they add no information


@njit(nogil=True)
def measure_layout(
    values_BC: np.ndarray,
    is_prose_B: np.ndarray,
    holders_B: np.ndarray,
    parents_E: np.ndarray,
    kinds_E: np.ndarray,
    depths_E: np.ndarray,
) -> np.ndarray:
    """The columns of LAYOUT, float32, shape (B, C). `values_BC` are a block's tokens, share of links and ends of sentences,
    `kinds_E` numbers that are equal where elements have the same tag and words."""
    table_BC = np.empty((len(holders_B), len(LAYOUT)), dtype=np.float32)
    column = len(_CONTAINER)
    _write_container(table_BC[:, :column], values_BC[:, 0], is_prose_B, holders_B, parents_E, depths_E)
    for paths_E in _paths(parents_E, kinds_E):
        _write_groups(table_BC[:, column : column + len(_OF_GROUP)], values_BC, _numbered(paths_E)[holders_B])
        column += len(_OF_GROUP)
    return table_BC


@njit(nogil=True)
def _write_container(
    table_BC: np.ndarray,
    tokens_B: np.ndarray,
    is_prose_B: np.ndarray,
    holders_B: np.ndarray,
    parents_E: np.ndarray,
    depths_E: np.ndarray,
) -> None:
    """The columns of _CONTAINER."""
    blocks = len(holders_B)
    prose_E = np.zeros(len(parents_E))
    tokens = prose = 0.0
    for block in range(blocks):
        tokens += tokens_B[block]
        prose += tokens_B[block] * is_prose_B[block]
        prose_E[holders_B[block]] += tokens_B[block] * is_prose_B[block]
    container = np.argmax(_prose_around(prose_E, parents_E))
    common_B = depth_of_common(holders_B, np.full(blocks, container), parents_E, depths_E)
    first, last = -1, blocks - 1  # prose in the container
    inside = prose_inside = 0.0
    for block in range(blocks):
        if common_B[block] == depths_E[container]:
            inside += tokens_B[block]
            if is_prose_B[block]:
                prose_inside += tokens_B[block]
                first = block if first < 0 else first
                last = block
    if first < 0:
        first = 0
    before = before_inside = 0.0
    for block in range(blocks):
        row = table_BC[block]
        row[0], row[1] = depths_E[holders_B[block]] - common_B[block], depths_E[container] - common_B[block]
        row[2], row[3] = inside / max(1.0, tokens), prose / max(1.0, tokens)
        row[4], row[5] = before / max(1.0, prose), before_inside / max(1.0, prose_inside)
        row[6], row[7] = min(max(block - first, -_FAR), _FAR), min(max(last - block, -_FAR), _FAR)
        if is_prose_B[block]:
            before += tokens_B[block]
            before_inside += tokens_B[block] * (common_B[block] == depths_E[container])


@njit(nogil=True)
def _write_groups(table_BC: np.ndarray, values_BC: np.ndarray, groups_B: np.ndarray) -> None:
    """The columns of _OF_GROUP for the blocks whose `groups_B` are equal."""
    sums_GC = np.zeros((groups_B.max() + 1, 4))  # blocks, tokens, those of links, ends of sentences
    tokens_on_page = 0.0
    for block in range(len(groups_B)):
        tokens, links, ends = np.float64(values_BC[block, 0]), np.float64(values_BC[block, 1]), values_BC[block, 2]
        sums = sums_GC[groups_B[block]]
        sums[0] += 1
        sums[1] += tokens
        sums[2] += tokens * links
        sums[3] += ends
        tokens_on_page += tokens
    for block in range(len(groups_B)):
        blocks, tokens, linked, ends = sums_GC[groups_B[block]]
        row = table_BC[block]
        row[0], row[1], row[2], row[3] = blocks, tokens / blocks, linked / max(1.0, tokens), ends / blocks
        row[4] = tokens / max(1.0, tokens_on_page)


@njit(nogil=True)
def _numbered(values_E: np.ndarray) -> np.ndarray:
    """Numbers from 0, equal for equal `values_E`, by a hash table that is at most half full."""
    slots = 2
    while slots < 2 * len(values_E):
        slots *= 2
    firsts = np.full(slots, -1)  # the first element with the value, by the slot of the value
    numbers_E = np.empty(len(values_E), dtype=np.int64)
    count = 0
    for element in range(len(values_E)):
        slot = (values_E[element] ^ values_E[element] >> 32) & (slots - 1)
        while firsts[slot] >= 0 and values_E[firsts[slot]] != values_E[element]:
            slot = (slot + 1) & (slots - 1)
        if firsts[slot] < 0:
            firsts[slot] = element
            numbers_E[element] = count
            count += 1
        else:
            numbers_E[element] = numbers_E[firsts[slot]]
    return numbers_E


@njit(nogil=True)
def _prose_around(prose_E: np.ndarray, parents_E: np.ndarray) -> np.ndarray:
    """The prose (`prose_E`) of each element's children, plus half of the prose of its grandchildren."""
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


@njit(nogil=True)
def _paths(parents_E: np.ndarray, kinds_E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the kinds of an element and all its ancestors, and of its own kind and its parent's."""
    factor = np.int64(6364136223846793005)  # of Knuth's generator MMIX: products spread over all 64 bits
    all_E = np.zeros(len(parents_E), dtype=np.int64)
    two_E = np.zeros(len(parents_E), dtype=np.int64)
    for element in range(len(parents_E)):
        parent = parents_E[element]
        all_E[element] = (all_E[parent] if parent >= 0 else 0) * factor + kinds_E[element] + 1
        two_E[element] = (kinds_E[parent] + 1 if parent >= 0 else 0) * factor + kinds_E[element]
    return all_E, two_E


@njit(nogil=True)
def depth_of_common(left_B: np.ndarray, right_B: np.ndarray, parents_E: np.ndarray, depths_E: np.ndarray) -> np.ndarray:
    """The depth of the innermost element that contains both. An element's number is greater than its parent's."""
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
