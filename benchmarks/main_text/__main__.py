"""Main text compared with human ground truth: precision, recall, F1 and time of each extractor.

    python -m benchmarks.main_text GOLD

GOLD is a folder with `gold.jsonl`: one page per line with `html` (the path of its gzipped bytes), `lang`, `text` (the expected
main text or null), `with` and `without` (strings that must and must not be in the extracted text). Pages with a text are
scored by the multiset of their tokens (a token is a word, or one character of Chinese, Japanese or Korean) and averaged
over pages; pages without one are scored by their strings, all together, ignoring white space. The trees of `blocks` and `auto`
were trained on these pages, so their figures here are too good; for a fair comparison use those of
`benchmarks/main_text/train.py`.
"""

import argparse
import gzip
import json
import logging
import re
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.main_text.peers import PEERS, installed
from pipeline.extract.charset import decode
from pipeline.extract.config import Extractor
from pipeline.extract.main_text.extractors import extract_main_text

EXTRACTORS: tuple[Extractor, ...] = ("resiliparse", "trafilatura", "blocks", "auto")
CJK = "぀-ヿ㐀-鿿가-힯豈-﫿ｦ-ﾟ"
TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")


class Score(NamedTuple):
    """Scores of one page, or of all strings."""

    precision: float
    recall: float
    f1: float


class Page(NamedTuple):
    """One page of the ground truth, decoded."""

    html: str
    host: str
    is_japanese: bool
    text: str | None
    wanted: list[str]
    unwanted: list[str]


def read_gold(folder: Path) -> list[Page]:
    """All pages of the ground truth."""
    pages = []
    with (folder / "gold.jsonl").open(encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            html = decode(gzip.decompress((folder / row["html"]).read_bytes()), None).text
            pages.append(Page(html, row["host"], row["lang"] == "ja", row["text"], row["with"], row["without"]))
    return pages


def score(right: int, found: int, wanted: int) -> Score:
    """The score if `right` of the `found` items are among the `wanted` ones."""
    return Score(right / max(1, found), right / max(1, wanted), 2 * right / max(1, found + wanted))


def score_tokens(text: str, expected: str) -> Score:
    """The score of a text's tokens, each counted as often as it occurs."""
    found, wanted = Counter(TOKEN.findall(text.lower())), Counter(TOKEN.findall(expected.lower()))
    return score((found & wanted).total(), found.total(), wanted.total())


def score_snippets(texts: list[str], pages: list[Page]) -> Score:
    """The score of the strings that must and must not be in the texts, all pages together."""
    right = found = wanted = 0
    for text, page in zip(texts, pages, strict=True):
        flat = "".join(text.split())
        hits = sum("".join(string.split()) in flat for string in page.wanted)
        right += hits
        found += hits + sum("".join(string.split()) in flat for string in page.unwanted)
        wanted += len(page.wanted)
    return score(right, found, wanted)


def mean(scores: list[Score]) -> Score:
    """The mean of each number."""
    return Score(*(statistics.mean(column) for column in zip(*scores, strict=True)))


def main() -> None:
    """Score every extractor and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("gold", type=Path)
    pages = read_gold(parser.parse_args().gold)
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs every empty page
    table = Table(title=f"Main text of {len(pages)} pages: precision / recall / F1")
    for heading in ("extractor", "all texts", "Japanese texts", "other texts", "snippets", "ms a page", "looked at again"):
        table.add_column(heading, justify="left" if heading == "extractor" else "right")
    for extractor in EXTRACTORS:
        extract_main_text("<p>warm", extractor)
        start = time.process_time()
        results = [extract_main_text(page.html, extractor) for page in pages]
        milliseconds = 1000 * (time.process_time() - start) / len(pages)
        looked_at = sum(result.extractor in ("whole_page", "best_blocks") for result in results) / len(results)
        table.add_row(
            extractor, *columns_of(pages, [result.text for result in results]), f"{milliseconds:.1f}", f"{looked_at:.1%}"
        )
    for peer in PEERS:
        if not installed(peer):
            table.add_row(peer.name, "not installed; see benchmarks/requirements/main_text.txt")
            continue
        peer.extract(pages[0].html)
        start = time.process_time()
        texts = [peer.extract(page.html) for page in pages]
        milliseconds = 1000 * (time.process_time() - start) / len(pages)
        table.add_row(peer.name, *columns_of(pages, texts), f"{milliseconds:.1f}", "")
    Console(width=150).print(table)


def columns_of(pages: list[Page], texts: list[str]) -> list[str]:
    """The four columns of scores: all texts, Japanese texts, other texts, strings."""
    scored = list(zip(pages, texts, strict=True))
    tokens = [(page.is_japanese, score_tokens(text, page.text)) for page, text in scored if page.text]
    snippets = [(page, text) for page, text in scored if not page.text]
    columns = [
        mean([tokens_score for _, tokens_score in tokens]),
        mean([tokens_score for is_japanese, tokens_score in tokens if is_japanese]),
        mean([tokens_score for is_japanese, tokens_score in tokens if not is_japanese]),
        score_snippets([text for _, text in snippets], [page for page, _ in snippets]),
    ]
    return [" / ".join(f"{number:.3f}" for number in column) for column in columns]


if __name__ == "__main__":
    main()
