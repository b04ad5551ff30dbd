"""Take-down: pages that someone asked to remove leave the corpus by a rule like any other, and stay away.

Kept: every page that no request in force names, and that is no copy of one. Dropped: `taken_down`, a page that is named by its
URL, host (or a domain above it), source_id or doc_id; the value is 1. And `copy_of_taken_down`, a near-duplicate of such a page
(`dedup.copies`), unless the request keeps copies; the value is the similarity.

The stage is after all that judge texts, so no other near-duplicate of a removed page comes back in its place, and no statistic of
a host moves. Shards are planned from what reaches the stage; a shard leaves out what it drops of its range. So no boundary moves,
and only shards that held a removed page are written anew.

Requests are a log, `removals.parquet`: who asked what, when and why, in the order of asking. Of the rows about one entry the last
is in force. The log is never shortened. It is a file beside the ledger (which shows it as the view `removals`), not in it, so it
outlives a ledger that is lost.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.layout import REMOVALS
from pipeline.files import replacing
from pipeline.hosts.lists import HostLists
from pipeline.text.urls import normal_host

REMOVAL_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),  # url, host, id (source_id) or doc (doc_id)
        pa.field("entry", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),  # remove, or restore, which takes a removal back
        pa.field("reason", pa.string(), nullable=False),
        pa.field("who", pa.string(), nullable=False),
        pa.field("requested", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("copies", pa.bool_(), nullable=False),  # whether copies of the pages are to go too
    ]
)

Kind = Literal["url", "host", "id", "doc"]
Action = Literal["remove", "restore"]


class Entry(NamedTuple):
    """What a request names: the pages of a URL, of a host and all below it, of a source_id, or one document."""

    kind: Kind
    name: str


class Request(NamedTuple):
    """What was asked, why, by whom, when (UTC), and whether copies go too."""

    entry: Entry
    reason: str
    who: str
    requested: datetime
    copies: bool


class Place(NamedTuple):
    """By what a request may name a page."""

    doc_id: str
    url: str | None
    host: str | None
    source_id: str | None


class InForce(NamedTuple):
    """What is to stay out, by kind of entry."""

    urls: frozenset[str]
    hosts: HostLists
    ids: frozenset[str]
    docs: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.urls or self.hosts.hosts or self.ids or self.docs)

    def match(self, places: Iterable[Place]) -> npt.NDArray[np.bool_]:
        """Which pages are to go, bool (N,)."""
        of_host: dict[str, bool] = {}
        named = []
        for doc_id, url, host, source_id in places:
            if host and host not in of_host:
                of_host[host] = self.hosts.match_host(host) is not None
            named.append(url in self.urls or of_host.get(host or "", False) or source_id in self.ids or doc_id in self.docs)
        return np.array(named, dtype=bool)


def read_log(root: Path) -> pa.Table:
    """All requests of the corpus in `root`, the oldest first."""
    path = root / REMOVALS
    log = pq.read_table(path, partitioning=None) if path.exists() else REMOVAL_SCHEMA.empty_table()
    if "copies" not in log.column_names:  # written by an earlier version, which promised that no copy stays
        log = log.append_column("copies", pa.array([True] * log.num_rows, pa.bool_()))
    return log.cast(REMOVAL_SCHEMA)


def in_force(root: Path, *, with_copies: bool = False) -> InForce:
    """What is to stay out of the corpus in `root`; with_copies: only that whose copies are to stay out too."""
    return of_entries(entry for entry, request in requests_in_force(root).items() if request.copies or not with_copies)


def digest_in_force(root: Path) -> str:
    """The same for the same removals, whoever asked for them and in whatever order."""
    asked = sorted((*entry, request.copies) for entry, request in requests_in_force(root).items())
    return hashlib.blake2b(repr(asked).encode(), digest_size=16).hexdigest()


def requests_for(root: Path, places: Iterable[Place]) -> list[Request | None]:
    """For each page the request in force that keeps it out of the corpus in `root`: that of the page, else that of its host; None
    for a page that none names."""
    requests = requests_in_force(root)
    hosts = of_entries(requests).hosts
    found = []
    for doc_id, url, host, source_id in places:
        own = (Entry("doc", doc_id), Entry("url", url or ""), Entry("id", source_id or ""))
        match = hosts.match_host(host) if host else None
        of_host = requests[Entry("host", match[1])] if match else None
        found.append(next((requests[entry] for entry in own if entry in requests), of_host))
    return found


def requests_in_force(root: Path) -> dict[Entry, Request]:
    """The removals that no later request took back, by what they name."""
    last = {Entry(row["kind"], row["entry"]): row for row in read_log(root).to_pylist()}
    in_force = {entry: row for entry, row in last.items() if row["action"] == "remove"}
    return {entry: Request(entry, row["reason"], row["who"], row["requested"], row["copies"]) for entry, row in in_force.items()}


def of_entries(entries: Iterable[Entry]) -> InForce:
    """The removals that `entries` ask for."""
    names: dict[str, list[str]] = {kind: [] for kind in get_args(Kind)}
    for entry in entries:
        names[entry.kind].append(entry.name)
    hosts = HostLists(dict.fromkeys(names["host"], "removals"), {}, "")
    return InForce(frozenset(names["url"]), hosts, frozenset(names["id"]), frozenset(names["doc"]))


def read_entries(path: Path, kind: Kind) -> list[Entry]:
    """The entries of a file: one per line, comments from `#` at the beginning of a line. Raises OSError, UnicodeDecodeError."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    return [Entry(kind, normal_host(name) if kind == "host" else name) for name in dict.fromkeys(names)]


def add_to_log(root: Path, entries: Sequence[Entry], action: Action, reason: str, who: str, *, copies: bool = True) -> int:
    """Append the requests that change anything to the log, in one step that a kill leaves done or undone; how many they were.

    copies: whether near-duplicates of the pages go too.
    """
    present = requests_in_force(root)
    if action == "restore":
        asked = [entry for entry in entries if entry in present]
    else:
        asked = [entry for entry in entries if entry not in present or present[entry].copies != copies]
    if not asked:
        return 0
    at = datetime.now(UTC)
    rows = [dict(zip(REMOVAL_SCHEMA.names, (*entry, action, reason, who, at, copies), strict=True)) for entry in asked]
    with replacing(root / REMOVALS) as temporary:
        pq.write_table(pa.concat_tables([read_log(root), pa.Table.from_pylist(rows, REMOVAL_SCHEMA)]), temporary)
    return len(asked)
