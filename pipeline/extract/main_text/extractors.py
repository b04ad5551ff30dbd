r"""Extracts the main text of an HTML page, by the project's own extractor or one of two public ones, behind one interface.

`blocks` (see `trees`) judges each block of a page by trees trained on human ground truth. `auto` does the same and looks again if
that drops all or nearly all of a page, so that no page that shows a sentence is lost: first at the whole page, including content
that is hidden until scripts run, replaces them, or is marked as navigation; then, if no block seems to be main text, at the
blocks that come closest. On 11 of the 1,179 pages of the ground truth, trees
trained on other sites find that little. These pages have 26 strings that should be found: `blocks` finds 10, `auto` 20, and
trafilatura 25, which would take as long as all other work.

With `markup` "plain", each paragraph, heading, list item and table row is a line, and code keeps its lines. With "markdown", see
`markdown`.

`trafilatura` (https://trafilatura.readthedocs.io) is the reference; `resiliparse` (https://resiliparse.chatnoir.eu) is a DOM in
C++ with rules on its blocks. Their options were chosen by token F1, see `benchmarks/main_text`: list bullets off (they are not
text), comment sections, navigation landmarks and line numbers off, tables on. trafilatura's own deduplication stays off: it
remembers segments of earlier pages, so the text of a page would depend on the order of the pages.

Normal form of every text: lines separated by "\n", no white space at the end of a line, no NUL, encodable as UTF-8, no blank line
at the start or end, and at most one in a row except in code.
"""

import itertools
from typing import NamedTuple

import numpy as np
from resiliparse.parse.html import HTMLTree

from pipeline.extract.config import TREE_BUILDING, Extractor, Markup
from pipeline.extract.main_text.accordions import complete_accordions
from pipeline.extract.main_text.blocks import Page, read_page, read_source
from pipeline.extract.main_text.markdown import write_markdown
from pipeline.extract.main_text.public_extractors import by_resiliparse, by_trafilatura
from pipeline.extract.main_text.trees import judge_blocks

# The blocks missed the text if they have at most ENOUGH letters and at most MIN_SHARE of those on the whole page, as on 1 % of
# the pages of the ground truth. On pages with 5 to 20 %, a second look improved 2 pages and made 5 worse.
MIN_SHARE, ENOUGH = 0.05, 1_000
# Share of the letters of a whole page that are in blocks of main text. On a second look it was 0.67 or more for pages whose text
# was hidden or in `noscript`, and 0.49 or less for pages with only menus, some links of which look like text.
MIN_SHARE_OF_WHOLE = 0.5
# If no block is likely main text, those are taken whose log odds are within NEAR_THE_BEST of the best block's, on pages with at
# least MIN_LETTERS letters (two sentences). Of 7,031 Japanese pages, 5 show fewer and have no main text: names of tags, or a
# search field.
NEAR_THE_BEST, MIN_LETTERS = 1.0, 50


class MainText(NamedTuple):
    """`title`: the title of the page on one line, "" without one. `text`: its main text in normal form, "" without one.
    `extractor`: how the text was found."""

    title: str
    text: str
    extractor: str


def extract_main_text(html: str, extractor: Extractor, markup: Markup = "plain") -> MainText:
    """The title and main text of a page. The extractors of `TREE_BUILDING` know no `markup` but "plain".

    Broken markup is read as in browsers. Hostile markup can take the extractors of `TREE_BUILDING` minutes: check
    `measure_nesting(html)` against `NESTING_RULES` first.
    """
    html = html.replace("\0", "")
    if extractor in TREE_BUILDING:
        html = html.encode("utf-8", "replace").decode("utf-8")
        tree = HTMLTree.parse(html)
        title = " ".join((tree.title or "").split())
        return MainText(title, by_resiliparse(tree) if extractor == "resiliparse" else by_trafilatura(html), extractor)
    page, is_found_B, way = _by_blocks(html, looks_again=extractor == "auto")
    found = complete_accordions(page, is_found_B.tolist())
    if markup == "markdown":
        return MainText(page.title, write_markdown(*read_source(html, is_whole=way == "whole_page"), found), way)
    return MainText(page.title, _lines("\n".join(itertools.compress(page.texts, found))), way)


def _lines(text: str) -> str:
    """`text` without white space at the ends of lines and without blank lines at its own."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _by_blocks(html: str, looks_again: bool) -> tuple[Page, np.ndarray, str]:
    """The page as read, which of its blocks are main text, and how they were found."""
    page = read_page(html)
    scores_B, letters_B = judge_blocks(page)
    found = letters_B[scores_B > 0].sum()
    if looks_again and found <= min(ENOUGH, MIN_SHARE * (letters_B.sum() + page.letters_left_out)):
        whole = read_page(html, is_whole=True)
        whole_scores_B, whole_letters_B = judge_blocks(whole)
        if whole_letters_B[whole_scores_B > 0].sum() > MIN_SHARE_OF_WHOLE * whole_letters_B.sum():
            return whole, whole_scores_B > 0, "whole_page"
        if letters_B.sum() >= MIN_LETTERS and scores_B.max() <= 0:
            return page, scores_B > scores_B.max() - NEAR_THE_BEST, "best_blocks"
    return page, scores_B > 0, "blocks"
