"""A crawl in which five pages in a hundred are Japanese: the rapid check before parsing, compared with extraction before language
detection.

    python -m benchmarks.other_languages --shared ../shared

The crawl mixes pages of `ja_web` and `multi_web`, each as a WARC record. The time is that from the file to documents and
verdicts in memory, in one process. The peer is the same program without the rapid check: every page is decoded and its
main text found, and then the precise check decides the language, as in pipelines that detect languages on text.
Last comes the cost per page in another language and per Japanese page, each from a file with only such pages.
"""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pipeline.extract.stage
from benchmarks.runs import copy_records
from benchmarks.turns import compare, console, seconds_in_turn
from pipeline.extract.config import ExtractConfig
from pipeline.extract.language import RapidEvidence
from pipeline.extract.stage import extract
from pipeline.inputs.formats import read_records
from pipeline.inputs.record import Source
from pipeline.inputs.sources import resolve_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

JAPANESE_PAGES, OTHER_PAGES = 40, 760  # five in a hundred
ROUNDS = 3


def unchecked(_body: bytes, _http_charset: str | None) -> RapidEvidence:
    """Replaces the rapid check in the peer: every page passes."""
    return RapidEvidence(float("inf"), "", None)


def read(source: Source) -> int:
    """Run all records of a file through the stage `extract`; returns how many become documents."""
    config = ExtractConfig()
    records = read_records(source, config.max_page_bytes)
    return sum(part.documents.num_rows for part in extract(records, source.uri, config, {}, lambda position: None, 256))


def read_unchecked(source: Source) -> int:
    """`read` with extraction before language detection."""
    with patch.object(pipeline.extract.stage, "rapid_check", unchecked):
        return read(source)


def pages_of(corpus: Path, kind: str, target: Path, count: int) -> Source:
    """A file of `count` pages of one kind, equally many from each file of the corpus, as a source of the pipeline."""
    sources = sorted(corpus.glob(f"{kind}-*.warc.gz"))
    pieces = []
    for number, source in enumerate(sources):
        piece = target.with_name(f"{target.name}.{number}")
        copy_records(source, piece, count=count * (number + 1) // len(sources) - count * number // len(sources))
        pieces.append(piece.read_bytes())
        piece.unlink()
    target.write_bytes(b"".join(pieces))
    return resolve_inputs([str(target)])[0]


def main() -> None:
    """Print the table and the cost per page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder that holds corpus/")
    corpus = parser.parse_args().shared / "corpus"
    with tempfile.TemporaryDirectory(prefix="other-languages-") as name:
        japanese = pages_of(corpus, "ja_web", Path(name) / "japanese.warc.gz", JAPANESE_PAGES)
        others = pages_of(corpus, "multi_web", Path(name) / "others.warc.gz", OTHER_PAGES)
        mixed = Path(name) / "mixed.warc.gz"
        mixed.write_bytes(b"".join(Path(name, part).read_bytes() for part in ("japanese.warc.gz", "others.warc.gz")))
        crawl = resolve_inputs([str(mixed)])[0]
        programs: dict[str, Callable[[], object]] = {
            "this project": lambda: read(crawl),
            "extraction before language detection": lambda: read_unchecked(crawl),
        }
        compare("five pages in a hundred in Japanese", "records", JAPANESE_PAGES + OTHER_PAGES, programs, ROUNDS)
        console.print(f"documents: {read(crawl)} and {read_unchecked(crawl)}")
        seconds = seconds_in_turn({"ja": lambda: read(japanese), "other": lambda: read(others)}, ROUNDS)
        own, other = (1000 * min(seconds[name]) / pages for name, pages in (("ja", JAPANESE_PAGES), ("other", OTHER_PAGES)))
        console.print(f"{own:.2f} ms a page of ja_web, {other:.3f} ms a page of multi_web: {other / own:.1%}")


if __name__ == "__main__":
    main()
