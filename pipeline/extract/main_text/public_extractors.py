"""Main text by public extractors, trafilatura and resiliparse, and the normal form of all texts."""

import re

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

# Parts that are never main text. Patterns of class names ("*=related") lost more text than they removed.
SKIPPED = [
    # landmarks of HTML and ARIA
    *("nav", "aside", "footer", "[role=navigation]", "[role=complementary]", "[role=contentinfo]"),
    # readers' comments in WordPress, Movable Type and Disqus
    *("#comments", ".comments", ".comment-respond", "#respond", ".commentlist", ".comment", "#disqus_thread", ".dsq-brlink"),
    # line numbers and anchors beside code and headings in Pygments, Rouge, Chroma, Hexo and Sphinx
    *(".gutter", ".rouge-gutter", ".lineno", ".linenos", ".linenodiv", ".lnt", ".ln", ".headerlink"),
]


_BLANK_LINES = re.compile(r"\n{3,}")


def normal_form(text: str) -> str:
    """`text` in the normal form that `extractors` describes."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip()


def by_resiliparse(tree: HTMLTree) -> str:
    """The main text of a page by resiliparse, in normal form."""
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


def by_trafilatura(html: str) -> str:
    """The main text of a page by trafilatura, in normal form, the cells of tables without bars."""
    import trafilatura  # takes half a second, which only workers that use it should spend

    text = trafilatura.extract(html, include_comments=False, include_tables=True, deduplicate=False) or ""
    lines = (_without_bars(line) for line in text.encode("utf-8", "replace").decode("utf-8").split("\n"))
    return normal_form("\n".join(line for line in lines if line is not None))


def _without_bars(line: str) -> str | None:
    """A line of a table in Markdown as its cells, None for the rule below a table's head; other lines as they are."""
    row = line.rstrip()
    if len(row) < 2 or not (row.startswith("|") and row.endswith("|")):
        return line
    return None if set(row) <= {"|", "-"} else row[1:-1].replace("|", " ").strip()
