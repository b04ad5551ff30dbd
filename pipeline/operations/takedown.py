"""`remove`: finds the pages that a request names and their copies, reports where they are, logs the request and applies it.

It first changes the log of `removals` and then runs that stage and the later ones. If the process is killed in between, the next
`run` or `remove` applies the request. Training runs are asked before anything changes; afterwards `trainer.where` still knows
what they read, from the index of documents that is kept for replaced shards (`tokens.index`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.config import nearest
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import columns_of, read_ledger
from pipeline.dedup.columns import earlier_groups
from pipeline.dedup.copies import find_copies
from pipeline.engine.runner import Listener
from pipeline.errors import UserError
from pipeline.manifest import Manifest, read_manifest
from pipeline.operations.run import locked, rerun_removals
from pipeline.removals import log as removals
from pipeline.removals.log import Action, Entry, Kind
from pipeline.removals.unit import copies_of
from pipeline.terminal import printable
from pipeline.text.urls import normal_host
from pipeline.tokenize import order as tokenize_order
from pipeline.tokenize import publish as dataset

_PAGES_SHOWN = 20
# What an entry of each kind is, for messages.
_WHAT: Mapping[Kind, str] = {"url": "address", "host": "host", "id": "source_id", "doc": "doc_id"}


class RemovalError(UserError):
    """A request that cannot be read; the message names the file and the remedy."""


class Page(NamedTuple):
    """A page that a request names: stage `tokenize` if it is in the shards, otherwise the stage and rule that dropped it."""

    doc_id: str
    url: str
    source_id: str
    stage: str
    rule: str | None
    part: str

    @property
    def name(self) -> str:
        """Its URL, or its id if it has none."""
        return printable(self.url or self.source_id or self.doc_id)


class Copy(NamedTuple):
    """A near-duplicate of a named page whose text is in shards: those of this corpus, or of the earlier one in `corpus`."""

    doc_id: str
    name: str
    named_id: str
    similarity: float
    corpus: str | None


@dataclass(frozen=True)
class Affected:
    """What a request affects.

    pages: the pages that it names. copies: near-duplicates of these in shards, here or in earlier corpora, whose doc_id no entry
    names. only_named: whether they are to stay. shards: files that hold any page that goes. without_page: entries that name no
    record of the crawl, each with the nearest name in the crawl (None if nothing is near).
    """

    pages: list[Page]
    copies: list[Copy]
    only_named: bool
    shards: list[str]
    without_page: list[tuple[Entry, str | None]]

    @property
    def in_shards(self) -> list[str]:
        """The ids of the pages that the token shards hold, copies that go or stay included."""
        named = [page.doc_id for page in self.pages if page.stage == "tokenize"]
        return named + [copy.doc_id for copy in self.copies if copy.corpus is None]


@dataclass(frozen=True)
class Applied:
    """changed: number of entries that were new to the log. fingerprint: of the tokens afterwards; None if the corpus is not built
    to the end, so that the request waits for the next run."""

    changed: int
    fingerprint: str | None


def read_request(named: Mapping[str, Path | Sequence[str] | None]) -> list[Entry]:
    """The entries of files (`urls`, `hosts`, `ids`, `docs`) and single ones (`url`, `host`, `id`, `doc`).

    Raises RemovalError if a file cannot be read or names nothing, for a wrong host or doc_id, or if nothing is named.
    """
    entries: list[Entry] = []
    for kind, what in _WHAT.items():
        path, names = named.get(f"{kind}s"), named.get(kind)
        if isinstance(path, Path):
            entries += _read_file(path, kind, what)
        for name in names if isinstance(names, list | tuple) else ():
            entries.append(_checked(Entry(kind, normal_host(name) if kind == "host" else name), ""))
    if not entries:
        raise RemovalError(
            "name what is to go: --url, --host, --id or --doc, or a file with one entry per line: --urls, --hosts, --ids, --docs"
        )
    return list(dict.fromkeys(entries))


def _read_file(path: Path, kind: Kind, what: str) -> list[Entry]:
    try:
        found = removals.read_entries(path, kind)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text in UTF-8"
        raise RemovalError(f"{path}: {reason}; --{kind} NAME takes a single {what}") from error
    if not found:
        raise RemovalError(f"{path}: names nothing; write one {what} per line")
    return [_checked(entry, f"{path}: ") for entry in found]


def _checked(entry: Entry, place: str) -> Entry:
    if entry.kind == "host" and ("/" in entry.name or " " in entry.name):
        raise RemovalError(f"{place}{entry.name!r} is no host; write example.jp, or give addresses by --urls")
    if entry.kind == "doc" and (len(entry.name) != 32 or entry.name.strip("0123456789abcdef")):
        raise RemovalError(f"{place}{entry.name!r} is no doc_id, which has 32 hex digits; ids of your own records go by --ids")
    return entry


def affected(ledger: Ledger, entries: Sequence[Entry], *, only_named: bool = False) -> Affected:
    """What a request names in the corpus, according to the ledger, and the copies of it. Raises UserError, OSError."""
    asked = removals.of_entries(entries)
    hosts = [host for (host,) in ledger.rows("SELECT DISTINCT host FROM documents WHERE host IS NOT NULL")]
    named_hosts = [host for host in hosts if asked.hosts.match_host(host) is not None]
    source_id = "r.source_id" if "source_id" in columns_of(ledger, "records") else "''"
    rows = ledger.rows(
        f"""
        SELECT f.doc_id, coalesce(f.url, ''), {source_id}, f.stage, f.rule, f.part, d.host
        FROM fates f JOIN records r USING (part, doc_id, warc_offset)
        LEFT JOIN (SELECT DISTINCT part, doc_id, host FROM documents) d USING (part, doc_id)
        WHERE list_contains(?, f.url) OR list_contains(?, d.host) OR list_contains(?, {source_id}) OR list_contains(?, f.doc_id)
        ORDER BY f.url, f.doc_id, f.part
        """,
        *(sorted(asked.urls), named_hosts, sorted(asked.ids), sorted(asked.docs)),
    )
    pages = [Page(*row) for *row, _ in rows]
    manifest = read_manifest(str(ledger.root / "manifest.yaml"))
    copies = [*_copies_here(ledger, asked, manifest), *_copies_in_earlier(ledger, pages, manifest)] if pages else []
    going = [page.doc_id for page in pages if page.stage == "tokenize"]
    going += [copy.doc_id for copy in copies if copy.corpus is None and not only_named]
    splits = {doc_id: tokenize_order.split_of(ledger.root, doc_id) for doc_id in going}
    shards = ledger.rows("SELECT file, split, first_doc_id, last_doc_id FROM token_shards ORDER BY file")
    touched = [
        file
        for file, split, first, last in shards
        if any(first <= doc_id <= last and splits[doc_id] == split for doc_id in going)
    ]
    matched = {match[1] for host in named_hosts if (match := asked.hosts.match_host(host)) is not None}
    found = {
        "url": {page.url for page in pages},
        "host": matched,
        "id": {page.source_id for page in pages},
        "doc": {page.doc_id for page in pages},
    }
    missing = [entry for entry in entries if entry.name not in found[entry.kind]]
    return Affected(pages, copies, only_named, touched, [(entry, _nearest(ledger, entry, hosts)) for entry in missing])


def _copies_here(ledger: Ledger, asked: removals.InForce, manifest: Manifest) -> list[Copy]:
    """The copies of the named pages that the shards of this corpus hold."""
    parts = [part for (part,) in ledger.rows("SELECT part FROM units WHERE stage = 'extract' AND status = 'done' ORDER BY part")]
    found = {row["doc_id"]: row for row in copies_of(ledger.root, parts, asked, manifest.dedup).to_pylist()}
    names = _names_in_shards(ledger, list(found))
    return [Copy(doc_id, name, found[doc_id]["named_id"], found[doc_id]["similarity"], None) for doc_id, name in names.items()]


def _copies_in_earlier(ledger: Ledger, pages: Sequence[Page], manifest: Manifest) -> list[Copy]:
    """The named pages and their copies that the shards of the corpora in `dedup.against` hold."""
    given: dict[str, set[str]] = {}
    for page in pages:
        if page.stage != "extract":
            given.setdefault(page.part, set()).add(page.doc_id)
    copies = []
    for folder in manifest.dedup.against:
        config = manifest.dedup.model_copy(update={"against": (folder,)})
        found = {row["doc_id"]: row for row in find_copies(ledger.root, given, earlier_groups(config), config).to_pylist()}
        found |= {page.doc_id: {"named_id": page.doc_id, "similarity": 1.0} for page in pages}
        with read_ledger(Path(folder)) as earlier:
            names = _names_in_shards(earlier, list(found))
        copies += [
            Copy(doc_id, name, found[doc_id]["named_id"], found[doc_id]["similarity"], folder) for doc_id, name in names.items()
        ]
    return copies


def _names_in_shards(ledger: Ledger, doc_ids: Sequence[str]) -> dict[str, str]:
    """The names of those of the documents that the shards of a corpus hold."""
    source_id = "source_id" if "source_id" in columns_of(ledger, "records") else "''"
    query = f"""
        SELECT doc_id, coalesce(nullif(f.url, ''), nullif({source_id}, ''), doc_id)
        FROM fates f JOIN records r USING (part, doc_id, warc_offset) WHERE list_contains(?, doc_id) AND f.stage = 'tokenize'
        ORDER BY doc_id
    """
    return {doc_id: printable(name) for doc_id, name in ledger.rows(query, list(doc_ids))} if doc_ids else {}


def affected_text(touched: Affected) -> str:
    """The same as text; at most _PAGES_SHOWN pages are named."""
    named = sum(page.stage == "tokenize" for page in touched.pages)
    here = sum(copy.corpus is None for copy in touched.copies)
    lines = [
        f"{len(touched.pages):,} pages named, {named:,} of them in the shards, {here:,} copies of them in the shards; "
        f"{len(touched.shards):,} shards affected"
    ]
    of_page: dict[str, list[Copy]] = {}
    for copy in touched.copies:
        of_page.setdefault(copy.named_id, []).append(copy)
    # Pages with copies come first, since their texts may be where nobody looks.
    shown = sorted(touched.pages, key=lambda page: page.doc_id not in of_page)[:_PAGES_SHOWN]
    for page in shown:
        fate = "in the shards" if page.stage == "tokenize" else f"in none: {page.stage} dropped it by {page.rule}"
        lines.append(f"  {page.name}  {fate}")
        lines += [f"    {_copy_text(copy, touched.only_named)}" for copy in of_page.pop(page.doc_id, [])[:_PAGES_SHOWN]]
    if len(touched.pages) > _PAGES_SHOWN:
        lines.append(f"  and {len(touched.pages) - _PAGES_SHOWN:,} more")
    for entry, close in touched.without_page:
        is_near = f"; the nearest is {printable(close)}" if close else ""
        lines.append(f"  no page of {printable(entry.name)} is in the crawl{is_near}")
    return "\n".join(lines)


def _copy_text(copy: Copy, only_named: bool) -> str:
    same = "" if copy.similarity == 1 else f" (similarity {copy.similarity:.2f})"
    if copy.corpus is not None:
        command = f"python -m pipeline remove {copy.corpus} --doc {copy.doc_id}"
        return (
            f"its text is in the shards of the earlier corpus {copy.corpus} as {copy.name}{same}; take it down there: {command}"
        )
    return f"its text is in the shards as {copy.name}{same}, which {'stays (--only-named)' if only_named else 'goes too'}"


def _nearest(ledger: Ledger, entry: Entry, hosts: Sequence[str]) -> str | None:
    if entry.kind == "host":
        return nearest(entry.name, hosts)
    column = {"url": "url", "id": "source_id", "doc": "doc_id"}[entry.kind]
    if column not in columns_of(ledger, "records"):
        return None
    query = f"SELECT {column} FROM records WHERE {column} <> '' ORDER BY levenshtein({column}, ?), {column} LIMIT 1"
    return next((name for (name,) in ledger.rows(query, entry.name)), None)


def apply(
    root: Path, entries: Sequence[Entry], action: Action, reason: str, who: str, listener: Listener, *, copies: bool = True
) -> Applied:
    """Log the request and rewrite the shards that it affects; copies: whether near-duplicates go too.

    Raises RunError, LedgerError, ManifestError.
    """
    manifest = read_manifest(str(root / "manifest.yaml"), output=str(root))
    with locked(root), Ledger(root) as ledger:
        changed = removals.add_to_log(root, entries, action, reason, who, copies=copies)
        if not _is_built(ledger):
            return Applied(changed, None)
        return Applied(changed, rerun_removals(manifest, ledger, listener).fingerprint)


def applied_text(applied: Applied, touched: Affected, undone: bool) -> str:
    """What was done, and where texts of removed pages are still stored (not if `undone`)."""
    said = f"{applied.changed} new entries in removals.parquet; tokens: {applied.fingerprint}"
    if applied.fingerprint is None:
        said = f"{applied.changed} new entries in removals.parquet; the corpus is not whole, and the next `run` applies them"
    if undone:
        return said
    stay = [copy for copy in touched.copies if copy.corpus is not None or touched.only_named]
    lines = [said, "the texts are still in the inputs, in documents/ and encoded/, and in exports and reports written before"]
    if stay:
        lines.append(
            f"shards still hold the text of {len({copy.named_id for copy in stay}):,} of the pages, as the copies named above"
        )
    elif applied.fingerprint is not None:
        lines.append("no shard of this corpus holds the pages or a near-duplicate of one any more")
    return "\n".join(lines)


def _is_built(ledger: Ledger) -> bool:
    """Whether the last run came to its end, so that the files are of one corpus and not a mixture of two."""
    last: list[tuple[Any, ...]] = ledger.rows("SELECT status FROM runs ORDER BY started DESC LIMIT 1")
    return dataset.published(ledger.root) is not None and last[0][0] in ("done", "failed") if last else False
