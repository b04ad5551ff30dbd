"""The main text of an HTML page, by the project's own extractor or one of two public ones behind one interface.

`blocks` (`main_text_trees`) judges each block of a page by trees trained on human ground truth. `trafilatura`
(https://trafilatura.readthedocs.io) is the reference, nine times slower; `resiliparse` (https://resiliparse.chatnoir.eu, a DOM
in C++ and rules on its blocks) is the fastest.`auto` takes `blocks` and asks trafilatura, then resiliparse, where that
leaves out all or nearly all that a page shows: no page is lost because one of them finds nothing on it. Options of the public
ones were chosen by token F1, see `benchmarks/main_text.py`: list bullets off (they are no text), comment sections, landmarks
of navigation and line numbers off, tables on. trafilatura's own de-duplication stays off: it remembers segments of earlier
pages, so that the text of a page would depend on the order of the pages.

Normal form of every text: lines separated by "\\n", no white space at the end of a line, at most one blank line in a row,
none at the start or end, no NUL, encodable as UTF-8.
"""

import re
from typing import Literal, NamedTuple

import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.main_text_blocks import read_page
from pipeline.main_text_trees import main_text_of
from pipeline.markup import visible_letters

Extractor = Literal["auto", "blocks", "resiliparse", "trafilatura"]

# What is no main text wherever it stands. Patterns of class names ("*=related") lost more text than they removed.
SKIPPED = [
    # landmarks of HTML and ARIA
    *("nav", "aside", "footer", "[role=navigation]", "[role=complementary]", "[role=contentinfo]"),
    # readers' comments in WordPress, Movable Type and Disqus
    *("#comments", ".comments", ".comment-respond", "#respond", ".commentlist", ".comment", "#disqus_thread", ".dsq-brlink"),
    # line numbers and anchors beside code and headings in Pygments, Rouge, Chroma, Hexo and Sphinx
    *(".gutter", ".rouge-gutter", ".lineno", ".linenos", ".linenodiv", ".lnt", ".ln", ".headerlink"),
]
# The blocks have missed the text when they have fewer than ENOUGH letters, and less than MIN_SHARE of those that the page
# shows, if it shows at least MIN_VISIBLE. Of the ground truth's pages 2 % are such; with 0.25 it is 6 %, and F1 the same.
MIN_SHARE, MIN_VISIBLE, ENOUGH = 0.05, 300, 1_000
# Pages of more tags are not asked about: trafilatura takes 40 microseconds a tag, so 4 s, and the largest of 3,186 real pages has
# 21,715.
MOST_TAGS = 100_000
# Where they have nothing at all, a page of so many letters is asked about: help pages of a sentence or two have more, pages that
# only lead elsewhere fewer.
MIN_VISIBLE_OF_NOTHING = 100

_BLANK_LINES = re.compile(r"\n{3,}")


class MainText(NamedTuple):
    """`title` is that of the page ("" without one) on one line, `text` its main text in normal form ("" where there is
    none), `extractor` the one that found it."""

    title: str
    text: str
    extractor: str


def extract_main_text(html: str, extractor: Extractor) -> MainText:
    """The title and main text of a page.

    Broken markup is read as browsers read it. Hostile markup can cost minutes: judge `measure_nesting(html)` by
    `NESTING_RULES` before.
    """
    html = html.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if extractor in ("resiliparse", "trafilatura"):
        tree = HTMLTree.parse(html)
        title = " ".join((tree.title or "").split())
        return MainText(title, _by_resiliparse(tree) if extractor == "resiliparse" else _by_trafilatura(html), extractor)
    page = read_page(html)
    found = MainText(page.title, normal_form(main_text_of(page)), "blocks")
    if extractor == "blocks" or html.count("<") > MOST_TAGS:
        return found
    if _is_too_little(found.text, html):
        found = _longer(found, _by_trafilatura(html), "trafilatura")
    if _is_too_little(found.text, html):
        found = _longer(found, _by_resiliparse(HTMLTree.parse(html)), "resiliparse")
    return found


def _longer(found: MainText, text: str, extractor: str) -> MainText:
    return MainText(found.title, text, extractor) if len(text) > len(found.text) else found


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
    text = trafilatura.extract(html, include_comments=False, include_tables=True, deduplicate=False) or ""
    lines = (_without_bars(line) for line in text.encode("utf-8", "replace").decode("utf-8").split("\n"))
    return normal_form("\n".join(line for line in lines if line is not None))


def _without_bars(line: str) -> str | None:
    """A line of a table in Markdown as its cells, None for the rule below a table's head; other lines as they are."""
    row = line.rstrip()
    if len(row) < 2 or not (row.startswith("|") and row.endswith("|")):
        return line
    return None if set(row) <= {"|", "-"} else row[1:-1].replace("|", " ").strip()


def _is_too_little(text: str, html: str) -> bool:
    letters = sum(map(str.isalpha, text[: 4 * ENOUGH]))  # prose has more letters than one character in four
    if letters >= ENOUGH:
        return False
    visible = visible_letters(html.encode()).total
    return visible >= (MIN_VISIBLE if text else MIN_VISIBLE_OF_NOTHING) and letters < MIN_SHARE * visible
