"""Completes questions and answers that a click shows, such as those of an accordion.

The trees judge each block alone, and drop the last answer of a page, or one of three questions, for their place. But the parts of
an accordion were written alike: if most blocks of a kind are main text, all are.
"""

from collections import defaultdict
from collections.abc import Sequence

from pipeline.extract.main_text.blocks import Page
from pipeline.extract.main_text.class_names import ACCORDION, COLLAPSE, WORD_KINDS

_OF_CARDS = 1 << list(WORD_KINDS).index("related")  # which the last card of a row may have alone


def complete_accordions(page: Page, is_found_B: Sequence[bool]) -> Sequence[bool]:
    """`is_found_B`, with all blocks of an accordion whose elements have the same tags and words as those of other blocks in it,
    more than half of which are found."""
    if max(page.words, default=0) < ACCORDION:  # the highest bits
        return is_found_B
    words = [bits & ~_OF_CARDS for bits in page.words]
    alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for block, holder in enumerate(page.holders):
        accordion = _accordion_around(page, holder)
        if accordion >= 0:
            parent = page.parents[holder]
            alike[accordion, page.tags[holder], words[holder], page.tags[parent], words[parent]].append(block)
    found = list(is_found_B)
    for blocks in alike.values():
        if 2 * sum(is_found_B[block] for block in blocks) > len(blocks):
            for block in blocks:
                found[block] = True
    return found


def _accordion_around(page: Page, element: int) -> int:
    """The outermost accordion around an element; without one, the element two levels above what a click shows, which contains the
    parts like it; -1 for neither."""
    found = -1
    while element >= 0:
        if page.words[element] & ACCORDION:
            found = element
        elif page.words[element] & COLLAPSE and found < 0:
            parent = page.parents[element]
            found = max(page.parents[parent], 0) if parent >= 0 else -1
        element = page.parents[element]
    return found
