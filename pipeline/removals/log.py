"""Take-down: pages that someone asked to remove leave the corpus by a rule like any other, and stay away.

Kept: every page that no request in force names. Dropped: `taken_down`, a page whose URL is named, or whose host, or a domain
above it, is. The value is 1.

The stage stands behind all that judge texts, so a near-duplicate of a removed page does not come back in its place, and no
statistic of a host moves. Shards are planned from what reaches the stage; a shard leaves out what it drops of its range. So no
boundary moves, and only shards that held a removed page are written anew.

Requests are a log, `removals.parquet`: who asked what, when and why, in the order of asking. Of the rows about one entry the last
is in force. The log is never shortened, and lies beside the ledger (which shows it as the view `removals`), not in it: it
outlives a ledger that is lost.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

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
        pa.field("kind", pa.string(), nullable=False),  # url or host
        pa.field("entry", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),  # remove, or restore, which takes a removal back
        pa.field("reason", pa.string(), nullable=False),
        pa.field("who", pa.string(), nullable=False),
        pa.field("requested", pa.timestamp("ms", "UTC"), nullable=False),
    ]
)

Kind = Literal["url", "host"]
Action = Literal["remove", "restore"]


class Entry(NamedTuple):
    """What a request names: one page, or a host with all below it."""

    kind: Kind
    name: str


class Request(NamedTuple):
    """What was asked, why, by whom, and when (UTC)."""

    entry: Entry
    reason: str
    who: str
    requested: datetime


class InForce(NamedTuple):
    """The removals that no later request took back."""

    urls: frozenset[str]
    hosts: HostLists

    def match(self, urls: Sequence[str | None], hosts: Sequence[str | None]) -> npt.NDArray[np.bool_]:
        """Which pages are to go, bool (N,)."""
        of_host = {host: self.hosts.match_host(host) is not None for host in set(hosts) if host}
        return np.array([url in self.urls or of_host.get(host or "", False) for url, host in zip(urls, hosts, strict=True)], bool)

    def digest(self) -> str:
        """The same for the same removals, whoever asked for them and in whatever order."""
        return hashlib.blake2b(repr((sorted(self.urls), sorted(self.hosts.hosts))).encode(), digest_size=16).hexdigest()


def read_log(root: Path) -> pa.Table:
    """All requests of the corpus in `root`, the oldest first."""
    path = root / REMOVALS
    return pq.read_table(path, partitioning=None) if path.exists() else REMOVAL_SCHEMA.empty_table()


def in_force(root: Path) -> InForce:
    """What is to stay out of the corpus in `root`."""
    return of_entries(_requests(root))


def requests_for(root: Path, pages: Iterable[tuple[str, str]]) -> list[Request | None]:
    """For each (url, host) the request in force that keeps the page out of the corpus in `root`: that of its address, else that
    of its host; None for a page that none names."""
    requests = _requests(root)
    hosts = of_entries(requests).hosts
    found = []
    for url, host in pages:
        match = hosts.match_host(host)
        found.append(requests.get(Entry("url", url)) or (requests[Entry("host", match[1])] if match else None))
    return found


def _requests(root: Path) -> dict[Entry, Request]:
    """The removals that no later request took back, by what they name."""
    last = {Entry(row["kind"], row["entry"]): row for row in read_log(root).to_pylist()}
    in_force = {entry: row for entry, row in last.items() if row["action"] == "remove"}
    return {entry: Request(entry, row["reason"], row["who"], row["requested"]) for entry, row in in_force.items()}


def of_entries(entries: Iterable[Entry]) -> InForce:
    """The removals that `entries` ask for."""
    listed = list(entries)
    hosts = {entry.name: "removals" for entry in listed if entry.kind == "host"}
    return InForce(frozenset(entry.name for entry in listed if entry.kind == "url"), HostLists(hosts, {}, ""))


def read_entries(path: Path, kind: Kind) -> list[Entry]:
    """The entries of a file: one a line, comments from `#` at the beginning of a line. Raises OSError, UnicodeDecodeError."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    return [Entry(kind, normal_host(name) if kind == "host" else name) for name in dict.fromkeys(names)]


def add_to_log(root: Path, entries: Sequence[Entry], action: Action, reason: str, who: str) -> int:
    """Append the requests that change anything to the log, in one step that a kill leaves done or undone; how many they were."""
    log, now = read_log(root), in_force(root)
    present = {"url": now.urls, "host": now.hosts.hosts}
    asked = [entry for entry in entries if (entry.name in present[entry.kind]) == (action == "restore")]
    if not asked:
        return 0
    at = datetime.now(UTC)
    rows = [dict(zip(REMOVAL_SCHEMA.names, (*entry, action, reason, who, at), strict=True)) for entry in asked]
    with replacing(root / REMOVALS) as temporary:
        pq.write_table(pa.concat_tables([log.cast(REMOVAL_SCHEMA), pa.Table.from_pylist(rows, REMOVAL_SCHEMA)]), temporary)
    return len(asked)
