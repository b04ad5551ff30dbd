"""`remove`: finds the pages that a request names, reports where they are, logs the request and applies it.

It first changes the log of `removals` and then runs that stage and the later ones. If the process is killed in between, the next
`run` or `remove` applies the request. Training runs are asked before anything changes; afterwards `trainer.where` still knows
what they read, from the index of documents that is kept for replaced shards (`tokens.index`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import nearest
from pipeline.corpus.ledger import Ledger
from pipeline.engine.runner import Listener
from pipeline.errors import UserError
from pipeline.manifest import read_manifest
from pipeline.operations.run import locked, rerun_removals
from pipeline.removals import log as removals
from pipeline.removals.log import Action, Entry
from pipeline.tokenize import order as tokenize_order
from pipeline.tokenize import publish as dataset

_PAGES_SHOWN = 20


class RemovalError(UserError):
    """A request that cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Affected:
    """What a request affects.

    pages: the pages that it names, as (doc_id, url, stage, rule): stage `tokenize` for a page in the shards, otherwise the stage
    and rule that dropped it. shards: files that hold any of them. without_page: entries that name no record of the crawl,
    each with the nearest name in the crawl (None if nothing is near).
    """

    pages: list[tuple[str, str, str, str | None]]
    shards: list[str]
    without_page: list[tuple[Entry, str | None]]

    @property
    def in_shards(self) -> list[str]:
        """The ids of the pages that the token shards hold."""
        return [doc_id for doc_id, _, stage, _ in self.pages if stage == "tokenize"]


@dataclass(frozen=True)
class Applied:
    """changed: number of entries that were new to the log. fingerprint: of the tokens afterwards; None if the corpus is not built
    to the end, so that the request waits for the next run."""

    changed: int
    fingerprint: str | None


def read_request(urls: Path | None, hosts: Path | None) -> list[Entry]:
    """The entries of both files.

    Raises RemovalError if a file cannot be read, names nothing or has a wrong host, or if neither file is given.
    """
    entries: list[Entry] = []
    for path, kind in ((urls, "url"), (hosts, "host")):
        if path is None:
            continue
        try:
            found = removals.read_entries(path, "url" if kind == "url" else "host")
        except (OSError, UnicodeDecodeError) as error:
            raise RemovalError(f"{path}: {getattr(error, 'strerror', None) or 'not a text in UTF-8'}") from error
        for entry in found:
            if kind == "host" and ("/" in entry.name or " " in entry.name):
                raise RemovalError(f"{path}: {entry.name!r} is no host; write example.jp, or give addresses by --urls")
        if not found:
            raise RemovalError(f"{path}: names nothing; write one {'address' if kind == 'url' else 'host'} a line")
        entries += found
    if not entries:
        raise RemovalError("name what is to go: --urls FILE, --hosts FILE or both, one entry a line")
    return entries


def affected(ledger: Ledger, entries: Sequence[Entry]) -> Affected:
    """What a request names in the corpus, according to the ledger."""
    urls = [entry.name for entry in entries if entry.kind == "url"]
    asked = removals.of_entries(entries)
    hosts = [host for (host,) in ledger.rows("SELECT DISTINCT host FROM documents WHERE host IS NOT NULL")]
    named_hosts = [host for host in hosts if asked.hosts.match_host(host) is not None]
    pages = ledger.rows(
        """
        SELECT f.doc_id, f.url, f.stage, f.rule
        FROM fates f LEFT JOIN (SELECT part, doc_id, host FROM documents) d USING (part, doc_id)
        WHERE f.url IS NOT NULL AND (list_contains(?, f.url) OR list_contains(?, d.host)) ORDER BY f.url, f.doc_id
        """,
        *(urls, named_hosts),
    )
    here = [doc_id for doc_id, _, stage, _ in pages if stage == "tokenize"]
    splits = {doc_id: tokenize_order.split_of(ledger.root, doc_id) for doc_id in here}
    shards = ledger.rows("SELECT file, split, first_doc_id, last_doc_id FROM token_shards ORDER BY file")
    touched = [
        file for file, split, first, last in shards if any(first <= doc_id <= last and splits[doc_id] == split for doc_id in here)
    ]
    found = {url for _, url, _, _ in pages}
    matched = {match[1] for host in named_hosts if (match := asked.hosts.match_host(host)) is not None}
    missing = [entry for entry in entries if entry.name not in (found if entry.kind == "url" else matched)]
    return Affected(pages, touched, [(entry, _nearest(ledger, entry, hosts)) for entry in missing])


def affected_text(touched: Affected) -> str:
    """The same as text; at most _PAGES_SHOWN pages are named."""
    lines = [f"{len(touched.pages):,} pages named, {len(touched.in_shards):,} of them in {len(touched.shards):,} shards"]
    for _, url, stage, rule in touched.pages[:_PAGES_SHOWN]:
        lines.append(f"  {url}  {'in the shards' if stage == 'tokenize' else f'in none: {stage} dropped it by {rule}'}")
    if len(touched.pages) > _PAGES_SHOWN:
        lines.append(f"  and {len(touched.pages) - _PAGES_SHOWN:,} more")
    for entry, close in touched.without_page:
        lines.append(f"  no page of {entry.name} is in the crawl" + (f"; the nearest is {close}" if close else ""))
    return "\n".join(lines)


def _nearest(ledger: Ledger, entry: Entry, hosts: Sequence[str]) -> str | None:
    if entry.kind == "host":
        return nearest(entry.name, hosts)
    query = "SELECT url FROM records WHERE url IS NOT NULL ORDER BY levenshtein(url, ?), url LIMIT 1"
    return next((url for (url,) in ledger.rows(query, entry.name)), None)


def apply(root: Path, entries: Sequence[Entry], action: Action, reason: str, who: str, listener: Listener) -> Applied:
    """Log the request and rewrite the shards that it affects. Raises RunError, LedgerError, ManifestError."""
    manifest = read_manifest(str(root / "manifest.yaml"), output=str(root))
    with locked(root), Ledger(root) as ledger:
        changed = removals.add_to_log(root, entries, action, reason, who)
        if not _is_built(ledger):
            return Applied(changed, None)
        return Applied(changed, rerun_removals(manifest, ledger, listener).fingerprint)


def applied_text(applied: Applied, undone: bool) -> str:
    """What was done, and where texts of removed pages are still stored (not if `undone`)."""
    said = f"{applied.changed} new entries in removals.parquet; tokens: {applied.fingerprint}"
    if applied.fingerprint is None:
        said = f"{applied.changed} new entries in removals.parquet; the corpus is not whole, and the next `run` applies them"
    caches = "the texts still lie in the WARC files, in documents/ and in encoded/, from which no shard takes them any more"
    return said if undone else f"{said}\n{caches}"


def _is_built(ledger: Ledger) -> bool:
    """Whether the last run came to its end, so that the files are of one corpus and not a mixture of two."""
    last: list[tuple[Any, ...]] = ledger.rows("SELECT status FROM runs ORDER BY started DESC LIMIT 1")
    return dataset.published(ledger.root) is not None and last[0][0] in ("done", "failed") if last else False
