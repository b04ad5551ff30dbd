"""The main text of an HTML page, by one of two public extractors behind one interface.

`resiliparse` (https://resiliparse.chatnoir.eu, a DOM in C++ and rules on its blocks) is fast, `trafilatura`
(https://trafilatura.readthedocs.io) the reference; `auto` takes the fast one and asks the reference where the fast one
leaves out nearly all that a page shows. Options were chosen by token F1 on human ground truth, see
`benchmarks/main_text.py`: list bullets off (they are no text), comment sections and landmarks of navigation off, tables
on. trafilatura's own de-duplication stays off: it remembers segments of earlier pages, so that the text of a page would
depend on the order of the pages.

Normal form of every text: lines separated by "\\n", no white space at the end of a line, at most one blank line in a row,
none at the start or end, no NUL, encodable as UTF-8.
"""

import re
from typing import Literal, NamedTuple

import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.markup import visible_letters
from pipeline.nesting import NESTING_RULE, NESTING_RULES, measure_nesting, nesting_depth

__all__ = ["NESTING_RULE", "NESTING_RULES", "MainText", "extract_main_text", "measure_nesting", "nesting_depth"]

# Sections that are no main text wherever they stand: landmarks of HTML and ARIA, and readers' comments by the ids and
# classes of WordPress, Movable Type and Disqus. Patterns of class names ("*=related") lost more text than they removed.
SKIPPED = [
    *("nav", "aside", "footer", "[role=navigation]", "[role=complementary]", "[role=contentinfo]"),
    *("#comments", ".comments", ".comment-respond", "#respond", ".commentlist", ".comment", "#disqus_thread", ".dsq-brlink"),
]
# The fast extractor has missed the text when it found fewer than ENOUGH letters, on a page that shows at least MIN_VISIBLE,
# and less than MIN_SHARE of these.
MIN_SHARE, MIN_VISIBLE, ENOUGH = 0.25, 300, 1_000

_TABLE_RULE = re.compile(r"^\|(?:-+\|)+[ ]*$\n?", re.MULTILINE)
_TABLE_ROW = re.compile(r"^\|(.*)\|[ ]*$", re.MULTILINE)
_TRAILING_SPACE = re.compile(r"[^\S\n]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


class MainText(NamedTuple):
    """`title` is that of the page ("" without one) on one line, `text` its main text in normal form ("" where there is
    none), `extractor` the one that found it."""

    title: str
    text: str
    extractor: str


def extract_main_text(html: str, extractor: Literal["auto", "resiliparse", "trafilatura"]) -> MainText:
    """The title and main text of a page.

    Broken markup is read as browsers read it. Hostile markup can cost minutes: judge `measure_nesting(html)` by
    `NESTING_RULES` before.
    """
    html = html.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    tree = HTMLTree.parse(html)
    title = " ".join((tree.title or "").split())
    if extractor == "trafilatura":
        return MainText(title, _by_trafilatura(html), "trafilatura")
    text = _by_resiliparse(tree)
    if extractor == "auto" and _is_too_little(text, html):
        reference = _by_trafilatura(html)
        if len(reference) > len(text):
            return MainText(title, reference, "trafilatura")
    return MainText(title, text, "resiliparse")


def normal_form(text: str) -> str:
    """`text` in the normal form that the module describes."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return _BLANK_LINES.sub("\n\n", _TRAILING_SPACE.sub("", text)).strip()


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
    # Tables come as Markdown; their rules and bars are no text.
    text = _TABLE_ROW.sub(lambda row: row.group(1).replace("|", " ").strip(), _TABLE_RULE.sub("", text))
    return normal_form(text.encode("utf-8", "replace").decode("utf-8"))


def _is_too_little(text: str, html: str) -> bool:
    letters = sum(map(str.isalpha, text[: 4 * ENOUGH]))  # prose has more letters than one character in four
    if letters >= ENOUGH:
        return False
    visible = visible_letters(html.encode()).total
    return visible >= MIN_VISIBLE and letters < MIN_SHARE * visible
