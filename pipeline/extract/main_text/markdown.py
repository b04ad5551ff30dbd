"""Writes the main text of a page as Markdown (CommonMark, and tables of GitHub Flavored Markdown).

Headings, lists, quotations, tables and code keep their form. Links are their text and emphasis is left out: a reader of the plain
text misses neither, and half of all bold type on real pages is decoration. A line break within a paragraph stays one. Characters
that Markdown would take for marks are escaped.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.extract.html.elements import pack_name
from pipeline.extract.html.tokens import START, WORDS
from pipeline.extract.main_text.blocks import TAGS, Page, Source
from pipeline.extract.main_text.building import IS_CODE_BLOCK, PIECE_KIND, PIECE_TOKEN, PIECES_END
from pipeline.extract.main_text.rendering import CELL, Pieces, write_texts

_H1, _H6, _LI, _OL, _BLOCKQUOTE, _TR, _TABLE = map(TAGS.index, ("h1", "h6", "li", "ol", "blockquote", "tr", "table"))
_CELLS = tuple(map(pack_name, ("td", "th")))
_ROW = pack_name("tr")
_INLINE_MARKS = re.compile(r"[\\`*_]|<(?=[A-Za-z/!?])|\[(?=[^\]\n]*\][(\[])|&(?=#?\w+;)")
_LINE_MARKS = re.compile(r"^(?=#{1,6}(?:\s|$)|>|[-+](?:\s|$)|={3,}\s*$|-{3,}\s*$|~~~)", re.MULTILINE)
_NUMBER_MARKS = re.compile(r"^(\d{1,9})(?=[.)](?:\s|$))", re.MULTILINE)
# As highlighters write the language of code: Prism, highlight.js, Rouge, Sphinx, GitHub, Hatena; and SyntaxHighlighter.
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight-source|highlight|brush:)[-\s]*([a-z][a-z0-9+#-]*)", re.IGNORECASE)
_NO_LANGUAGES = frozenset(["default", "none", "notranslate", "plain", "plaintext", "tab-size", "table", "text", "wrapper"])


class _Part(NamedTuple):
    """A block as Markdown. `group`: parts of the same group, a list or table, have no blank line between them."""

    text: str
    group: tuple[str, int] | None


def write_markdown(page: Page, source: Source, is_found_B: Sequence[bool]) -> str:
    """The blocks of `page` for which `is_found_B` is true, as Markdown; `source` is what the page was read from."""
    found = [block for block, is_found in enumerate(is_found_B) if is_found]
    rows = _rows(page, source, found)
    writer = _Nesting(page)
    parts = []
    for block in found:
        ancestors = _ancestors(page, page.holders[block])
        first, rest, items = writer.prefixes(ancestors)
        group: tuple[str, int] | None = ("list", items) if items >= 0 else None
        if block in rows:
            text, group = rows[block], ("table", _nearest(page, ancestors, _TABLE))
        elif source.built.blocks[IS_CODE_BLOCK, source.shown[block]]:
            text, group = _fenced(page.texts[block], _language(source, source.shown[block])), None
        else:
            text = _escaped(page.texts[block])
            level = next((page.tags[element] - _H1 + 1 for element in ancestors if _H1 <= page.tags[element] <= _H6), 0)
            if level:
                text, group = f"{'#' * level} {' '.join(text.split())}", None
        lines = [line.rstrip() for line in text.split("\n")]
        parts.append(_Part("\n".join(((rest if number else first) + line).rstrip() for number, line in enumerate(lines)), group))
    written = [parts[0].text] if parts else []
    for before, part in pairwise(parts):
        is_tight = part.group is not None and part.group == before.group
        written.append(("\n" if is_tight else "\n\n") + part.text)
    return "".join(written)


def _ancestors(page: Page, element: int) -> list[int]:
    """The element and those around it, innermost first."""
    found = []
    while element >= 0:
        found.append(element)
        element = page.parents[element]
    return found


def _nearest(page: Page, ancestors: list[int], tag: int) -> int:
    """The innermost of the elements with that tag, -1 for none."""
    return next((element for element in ancestors if page.tags[element] == tag), -1)


class _Nesting:
    """The marks of lists and quotations at the beginnings of lines. Items are numbered by those that are main text."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.markers: dict[int, str] = {}  # by item
        self.items: Counter[int] = Counter()  # by list

    def prefixes(self, ancestors: list[int]) -> tuple[str, str, int]:
        """What a block's first line and its other lines begin with, and the outermost list around it, -1 for none."""
        first = rest = ""
        outermost = -1
        for place in reversed(range(len(ancestors))):
            element = ancestors[place]
            if self.page.tags[element] == _BLOCKQUOTE:
                first, rest = first + "> ", rest + "> "
            if self.page.tags[element] != _LI:
                continue
            around = next((one for one in ancestors[place + 1 :] if self.page.tags[one] != 0), -1)
            outermost = around if outermost < 0 else outermost
            if element in self.markers:
                marker, shown = self.markers[element], " " * len(self.markers[element])
            else:
                self.items[around] += 1
                is_numbered = around >= 0 and self.page.tags[around] == _OL
                marker = shown = self.markers[element] = f"{self.items[around]}. " if is_numbered else "- "
            first, rest = first + shown, rest + " " * len(marker)
        return first, rest, outermost


def _escaped(text: str) -> str:
    """`text` with a backslash before each character that would be a mark."""
    text = _INLINE_MARKS.sub(lambda mark: "\\" + mark[0], text)
    return _NUMBER_MARKS.sub(r"\1\\", _LINE_MARKS.sub(r"\\", text))


def _fenced(code: str, language: str) -> str:
    """Code between fences that are longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def _tokens_before(source: Source, block: int) -> range:
    """The tokens from the text of the block before to the first text of `block`."""
    pieces, ends_B = source.built.pieces[PIECE_TOKEN], source.built.blocks[PIECES_END]
    start = int(ends_B[block - 1]) if block else 0
    before = int(pieces[:start].max(initial=-1)) if start else -1
    return range(before + 1, int(pieces[start]))


def _language(source: Source, block: int) -> str:
    """The language of a block of code by the classes of the elements that begin before it, "" if none says one."""
    tokens, around = source.tokens, _tokens_before(source, block)
    first, last = np.searchsorted(tokens.owners, [around.start, around.stop])
    for number in range(last - 1, first - 1, -1):
        if tokens.attributes[number] == WORDS:
            value = source.page[tokens.value_starts[number] : tokens.value_ends[number]].tobytes().decode("utf-8", "replace")
            for name in _LANGUAGE.findall(value):
                if name.lower() not in _NO_LANGUAGES:
                    return str(name.lower())
    return ""


def _rows(page: Page, source: Source, found: list[int]) -> dict[int, str]:
    """The rows of tables with more than one column, by block. The first one found is the head."""
    cells = {block: _cells(source, source.shown[block]) for block in found if page.tags[page.holders[block]] == _TR}
    tables: defaultdict[int, list[int]] = defaultdict(list)
    for block in cells:
        tables[_nearest(page, _ancestors(page, page.holders[block]), _TABLE)].append(block)
    rows = {}
    for blocks in tables.values():
        columns = max(len(cells[block]) for block in blocks)
        if columns < 2:
            continue
        for number, block in enumerate(blocks):
            padded = cells[block] + [""] * (columns - len(cells[block]))
            head = "\n|" + " --- |" * columns if number == 0 else ""
            rows[block] = f"| {' | '.join(padded)} |{head}"
    return rows


def _cells(source: Source, block: int) -> list[str]:
    """The texts of the cells of a row, the empty ones included."""
    built = source.built
    start, end = int(built.blocks[PIECES_END, block - 1]) if block else 0, int(built.blocks[PIECES_END, block])
    kinds, tokens = built.pieces[PIECE_KIND, start:end], built.pieces[PIECE_TOKEN, start:end]
    bounds = np.flatnonzero(kinds == CELL)
    kept = kinds != CELL
    ends = np.concatenate([np.cumsum(kept)[bounds], [kept.sum()]]).astype(np.int32)
    written = write_texts(Pieces(kinds[kept], tokens[kept], np.zeros(len(ends), dtype=np.int32), ends), *source.texts)
    text = written.characters.tobytes().decode()
    texts = [text[first:last] for first, last in pairwise([0, *written.ends_B.tolist()])]
    leading = 0
    for token in reversed(_tokens_before(source, block)):
        if source.tokens.kinds[token] == START:
            if source.tokens.names[token] == _ROW:
                break
            leading += source.tokens.names[token] in _CELLS
    empty = [""] * max(0, leading - 1)
    return empty + [_escaped(" ".join(cell.split())).replace("|", "\\|") for cell in texts]
