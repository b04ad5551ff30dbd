"""What a corpus's ledger records about the pages of documents, including pages that were dropped before training.

The ledger is `CORPUS/manifest.duckdb`, beside `CORPUS/tokens`. Without a readable ledger, documents still have their ids, so
callers turn these errors into notes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.corpus.ledger import FILE_NAME, LedgerError
from pipeline.corpus.views import columns_of, read_ledger
from pipeline.removals.log import Place, Request, requests_for
from trainer.errors import TrainerError

# For these rules the ledger names the survivor of a cluster of duplicates.
_DEDUP = "dedup"
_SAME_RECORD = "same_record"
# The stage of take-downs.
REMOVALS = "removals"


@dataclass(frozen=True)
class TakenDown:
    """Why a page left the corpus, who asked, and when (ISO 8601)."""

    requested: str
    reason: str
    who: str


@dataclass(frozen=True)
class Page:
    """The origin of a document.

    warc_offset: of its record, in bytes of `warc_file`. taken_down: the request in force to remove it from the corpus.
    """

    doc_id: str
    url: str
    host: str
    date: str
    warc_file: str
    warc_offset: int
    taken_down: TakenDown | None


@dataclass(frozen=True)
class Fate:
    """Whether a record was kept, or what dropped it.

    stage, rule: which dropped it. value, threshold: what the rule compared. survivor: the doc_id of the document that was kept
    instead of a duplicate.
    """

    doc_id: str
    url: str
    kept: bool
    stage: str
    rule: str | None
    value: float | None
    threshold: float | None
    survivor: str | None

    def __str__(self) -> str:
        """Describe how a record was dropped, as part of a sentence."""
        compared = ", ".join(
            f"{name} {number:g}" for name, number in (("value", self.value), ("threshold", self.threshold)) if number is not None
        )
        instead = f"; {self.survivor} was kept instead" if self.survivor else ""
        return f"{self.doc_id} was dropped by {self.stage}, rule {self.rule}{f' ({compared})' if compared else ''}{instead}"


class Pages:
    """The ledger of one corpus, open for reading. A context manager."""

    def __init__(self, corpus: Path) -> None:
        """Open the ledger. Raises TrainerError if `corpus` has none, or it cannot be read now."""
        self.corpus = corpus
        if not (corpus / FILE_NAME).exists():
            raise TrainerError(f"{corpus}: no {FILE_NAME}, so documents have no URLs here; give their corpus by --corpus FOLDER")
        with self._plain_errors():
            self._ledger = read_ledger(corpus)

    def __enter__(self) -> "Pages":
        self._ledger.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._ledger.__exit__(*exception)

    def of(self, doc_ids: Sequence[str]) -> dict[str, Page]:
        """Return the pages of documents by doc_id, without those whose text the corpus does not have."""
        # A record that occurs in two inputs has a row in both parts; dedup keeps one of them.
        rows = self._rows(
            "SELECT DISTINCT ON (doc_id) doc_id, d.url, d.host, d.date, d.warc_file, d.warc_offset FROM documents d "
            "JOIN fates f USING (part, doc_id) WHERE doc_id IN (SELECT unnest(?)) ORDER BY doc_id, f.kept DESC, part",
            sorted(set(doc_ids)),
        )
        requests = self._requests([doc_id for doc_id, *_ in rows])
        taken_down = [request and TakenDown(request.requested.isoformat(), request.reason, request.who) for request in requests]
        return {
            doc_id: Page(doc_id, url, host, date, warc_file, warc_offset, request)
            for (doc_id, url, host, date, warc_file, warc_offset), request in zip(rows, taken_down, strict=True)
        }

    def _requests(self, doc_ids: Sequence[str]) -> list[Request | None]:
        """Return for each document the request in force that names it, or else the page that it is a copy of, or None."""
        of_copy = {}
        if columns_of(self._ledger, "removed_copies"):  # an earlier version has none, and no source_id
            of_copy = dict(
                self._rows("SELECT doc_id, named_id FROM removed_copies WHERE list_contains(?, doc_id)", list(doc_ids))
            )
        source_id = "source_id" if "source_id" in columns_of(self._ledger, "documents") else "''"
        columns = f"doc_id, url, host, {source_id}"
        query = f"SELECT DISTINCT ON (doc_id) {columns} FROM documents WHERE list_contains(?, doc_id) ORDER BY ALL"
        places = [Place(*row) for row in self._rows(query, sorted({*doc_ids, *of_copy.values()}))]
        named = dict(zip((place.doc_id for place in places), requests_for(self.corpus, places), strict=True))
        return [named.get(doc_id) or named.get(of_copy.get(doc_id, "")) for doc_id in doc_ids]

    def fates(self, column: str, value: str) -> list[Fate]:
        """Return the fates of the records whose `column`, url or doc_id, has this value, one per doc_id, sorted by doc_id."""
        survivor = f"CASE WHEN NOT f.kept AND f.stage = '{_DEDUP}' THEN d.survivor_id END"
        # Of a record that occurs in two inputs, take the one that dedup did not drop in favour of the other.
        rows = self._rows(
            f"SELECT DISTINCT ON (f.doc_id) f.doc_id, f.url, f.kept, f.stage, f.rule, f.value, f.threshold, {survivor} "
            f"FROM fates f LEFT JOIN duplicates d USING (doc_id) WHERE f.{column} = ? "
            f"ORDER BY f.doc_id, f.kept DESC, f.rule IS NOT DISTINCT FROM '{_SAME_RECORD}'",
            value,
        )
        return [Fate(*row) for row in rows]

    def nearest_url(self, url: str) -> str | None:
        """Return the corpus's URL most similar to `url` by Jaro-Winkler similarity, which favours common prefixes."""
        rows = self._rows("SELECT url FROM records ORDER BY jaro_winkler_similarity(url, ?) DESC, url LIMIT 1", url)
        return str(rows[0][0]) if rows else None

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._plain_errors():
            return self._ledger.rows(query, *parameters)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except LedgerError as error:
            raise TrainerError(str(error)) from error
        except duckdb.Error as error:
            reason = " ".join(str(error).split())
            raise TrainerError(f"{self.corpus}: its ledger cannot be read ({reason}); run the pipeline to its end") from error
