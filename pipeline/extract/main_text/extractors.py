"""The main text of an HTML page, by the project's own extractor or one of two public ones behind one interface.

`blocks` (`main_text_trees`) judges each block of a page by trees trained on human ground truth. `auto` is `blocks` too, and looks
again where that leaves out all or nearly all of a page, so that no page is lost that shows a sentence: first at the whole page,
with what is hidden until scripts run, stands in their place or is said to navigate; then, where no block seems to be main text,
at the blocks that come nearest to it. On the 11 of 1,179 pages of the ground truth where trees of other sites find that
little, the strings wanted are 26: `blocks` has 10, `auto` 20, trafilatura 25, which would take as long as all the rest.

`trafilatura` (https://trafilatura.readthedocs.io) is the reference, `resiliparse` (https://resiliparse.chatnoir.eu) a DOM in
C++ and rules on its blocks. Their options were chosen by token F1, see `benchmarks/main_text`: list bullets off (they are no
text), comment sections, landmarks of navigation and line numbers off, tables on. trafilatura's own de-duplication stays off: it
remembers segments of earlier pages, so that the text of a page would depend on the order of the pages.

Normal form of every text: lines separated by "\\n", no white space at the end of a line, at most one blank line in a row,
none at the start or end, no NUL, encodable as UTF-8.
"""

import itertools
import re
from typing import Literal, NamedTuple

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.extract.main_text.blocks import Page, read_page
from pipeline.extract.main_text.trees import judge_blocks

Extractor = Literal["auto", "blocks", "resiliparse", "trafilatura"]
# Those that build a tree of the page and walk it; the project's own reads 10 MB of any markup in 2 s at most.
TREE_BUILDING: frozenset[Extractor] = frozenset(("resiliparse", "trafilatura"))

# What is no main text wherever it stands. Patterns of class names ("*=related") lost more text than they removed.
SKIPPED = [
    # landmarks of HTML and ARIA
    *("nav", "aside", "footer", "[role=navigation]", "[role=complementary]", "[role=contentinfo]"),
    # readers' comments in WordPress, Movable Type and Disqus
    *("#comments", ".comments", ".comment-respond", "#respond", ".commentlist", ".comment", "#disqus_thread", ".dsq-brlink"),
    # line numbers and anchors beside code and headings in Pygments, Rouge, Chroma, Hexo and Sphinx
    *(".gutter", ".rouge-gutter", ".lineno", ".linenos", ".linenodiv", ".lnt", ".ln", ".headerlink"),
]
# The blocks have missed the text when they have at most ENOUGH letters, and at most MIN_SHARE of those on the whole page, as on
# 1 % of the ground truth's pages. Where they have 5 to 20 %, a second look changed 2 pages for the better and 5 for the worse.
MIN_SHARE, ENOUGH = 0.05, 1_000
# Of the pages looked at again, those whose text was hidden or in `noscript` had 0.67 and more of it in blocks that are main text,
# those with menus alone, of which some links look like text, 0.49 and less.
MIN_SHARE_OF_WHOLE = 0.5
# Where no block is likely main text, those are whose odds are at most e times smaller than the best one's, on pages that show so
# many letters, two sentences: of 7,031 Japanese pages 5 show fewer and have no main text, which are names of tags or a field to
# search.
NEAR_THE_BEST, MIN_LETTERS = 1.0, 50

_BLANK_LINES = re.compile(r"\n{3,}")


class MainText(NamedTuple):
    """`title` is that of the page ("" without one) on one line, `text` its main text in normal form ("" where there is
    none), `extractor` the one that found it."""

    title: str
    text: str
    extractor: str


def extract_main_text(html: str, extractor: Extractor) -> MainText:
    """The title and main text of a page.

    Broken markup is read as browsers read it. Hostile markup can cost those of `TREE_BUILDING` minutes: judge
    `measure_nesting(html)` by `NESTING_RULES` before.
    """
    html = html.replace("\0", "")
    if extractor in TREE_BUILDING:
        html = html.encode("utf-8", "replace").decode("utf-8")
        tree = HTMLTree.parse(html)
        title = " ".join((tree.title or "").split())
        return MainText(title, _by_resiliparse(tree) if extractor == "resiliparse" else _by_trafilatura(html), extractor)
    page, is_found_B, way = _by_blocks(html, looks_again=extractor == "auto")
    return MainText(page.title, normal_form("\n".join(itertools.compress(page.texts, is_found_B))), way)


def _by_blocks(html: str, looks_again: bool) -> tuple[Page, np.ndarray, str]:
    """A page as it was read, which of its blocks are main text, and how they were found."""
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


def normal_form(text: str) -> str:
    """`text` in the normal form that the module describes."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip()


def _by_resiliparse(tree: HTMLTree) -> str:
    text = extract_plain_text(
        tree,
        main_content=True,
        list_bullets=False,
        alt_texts=False,
        links=False,
        form_fields=False,
        skip_elements=SKIPPED,
    )
    return normal_form(text)


def _by_trafilatura(html: str) -> str:
    import trafilatura  # half a second that a worker need not wait for where the reference is not asked

    text = trafilatura.extract(html, include_comments=False, include_tables=True, deduplicate=False) or ""
    lines = (_without_bars(line) for line in text.encode("utf-8", "replace").decode("utf-8").split("\n"))
    return normal_form("\n".join(line for line in lines if line is not None))


def _without_bars(line: str) -> str | None:
    """A line of a table in Markdown as its cells, None for the rule below a table's head; other lines as they are."""
    row = line.rstrip()
    if len(row) < 2 or not (row.startswith("|") and row.endswith("|")):
        return line
    return None if set(row) <= {"|", "-"} else row[1:-1].replace("|", " ").strip()
