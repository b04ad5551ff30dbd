"""Whole hosts that are left out: because a list names them, or because of what their pages hold taken together.

Kept: pages of hosts that break no rule, and pages without a host. Dropped, in this order:

- `listed_host`: a list names the host, a domain above it, or the beginning of the page's address. The value is 1.
- `ng_character_share`: of all characters of the host's pages, more than 0.005 belong to expressions of the NG list.
- `dating_page_share`: of the host's pages, more than 0.001 hold an expression of dating services.

The two statistics are those of the Swallow corpus, which counts them after deduplication (Okazaki et al., "Building a
Large Japanese Web Corpus for Large Language Models", COLM 2024, arXiv:2404.17733) and, as it says, prefers recall to
precision. Here a host needs a few pages before its statistics count, see `HostsConfig`.

Lists have the format of the UT1 blacklists (Université Toulouse Capitole): one host, or one address without its
scheme, a line, in files `CATEGORY/domains`, `CATEGORY/urls`, `CATEGORY_domains.txt` or `CATEGORY.txt`, plain or
compressed (.gz). Empty lines and comments (from `#` at the beginning of a line or after a space) are skipped.
"""

import difflib
import gzip
import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from publicsuffixlist import PublicSuffixList
from pydantic import Field

from pipeline.config import Config
from pipeline.rules import Rule, judge

SWALLOW = "Swallow, arXiv:2404.17733, filtering by host"


class HostListError(ValueError):
    """Host lists that the manifest names cannot be used; the message names the key or file and the remedy."""


class HostsConfig(Config):
    """The manifest's section `hosts`."""

    lists: str | None = Field(
        default=None, description="a folder or file of lists in UT1's format; null = the project's own short list"
    )
    categories: tuple[str, ...] | None = Field(default=None, description="the lists to use; null = all of them")
    block: tuple[str, ...] = Field(default=(), description="further hosts or addresses to leave out")
    ng_character_share: float = Field(default=0.005, ge=0, le=1, description="the most NG characters of a host; Swallow")
    dating_page_share: float = Field(default=0.001, ge=0, le=1, description="the most dating pages of a host; Swallow")
    # Ten pages of the usual 2,000 characters reach a share of 0.005 with a hundred NG characters, some thirty
    # expressions; on a single page two or three would do, which says nothing of a host. The paper has no such bound: 1.
    minimum_pages: int = Field(default=10, ge=1, description="pages from which the statistics of a host count")
    # Below 1,000 pages a single page exceeds the share of 0.001, so that one article on the subject would cost a host
    # all its pages. The paper has no such bound: 1.
    minimum_dating_pages: int = Field(default=2, ge=1, description="dating pages from which their share counts")


def rules_of(config: HostsConfig) -> tuple[Rule, ...]:
    """The rules of the stage; `judge_hosts` measures what they judge."""
    return (
        Rule("listed_host", maximum=0, source="the lists that the manifest names"),
        Rule("ng_character_share", maximum=config.ng_character_share, source=SWALLOW),
        Rule("dating_page_share", maximum=config.dating_page_share, source=SWALLOW),
    )


@dataclass(frozen=True)
class HostLists:
    """Listed hosts and addresses, and the name of the list each is from (the first by name where several hold it).

    hosts: host -> list. addresses: host -> ((path, list), ...), for entries that name a part of a host. digest: 32 hex
    digits of all entries and names, the same wherever the files lie.
    """

    hosts: Mapping[str, str]
    addresses: Mapping[str, tuple[tuple[str, str], ...]]
    digest: str

    @classmethod
    def load(cls, config: HostsConfig) -> "HostLists":
        """Reads the lists that the manifest names, or the bundled one.

        Raises HostListError, with the key and the remedy, for a path without lists, an unknown category, or a line that
        is no host.
        """
        digest = hashlib.blake2b(digest_size=16)
        hosts: dict[str, str] = {}
        addresses: dict[str, list[tuple[str, str]]] = {}
        files = _chosen_files(config)
        sources = [(name, _lines(path), str(path)) for name, path in files]
        for name, lines, origin in [("block", list(config.block), "the manifest, hosts.block"), *sources]:
            digest.update(repr((name, lines)).encode("utf-8", "surrogatepass"))
            for host, path in _entries(lines, origin):
                if path:
                    addresses.setdefault(host, []).append((path, name))
                else:
                    hosts.setdefault(host, name)
        return cls(hosts, {host: tuple(paths) for host, paths in addresses.items()}, digest.hexdigest())

    def match(self, host: str, url: str) -> tuple[str, str] | None:
        """The list that names this host or address, and its entry; None where none does.

        An entry matches its host and all hosts below it, an IP address only itself, an entry with a path the addresses
        that begin with it, up to the end or one of `/?#&`.
        """
        found = self.match_host(host)
        if found is not None or not self.has_addresses(host):
            return found
        path = re.sub(r"^[^:]*://[^/?#]*/?", "/", url)
        for name in _listed_above(host, self.addresses):
            for listed, list_name in self.addresses[name]:
                if path.startswith(listed) and (listed[-1] in "/?#&" or path[len(listed) :][:1] in ("", *"/?#&")):
                    return list_name, name + listed
        return None

    def match_host(self, host: str) -> tuple[str, str] | None:
        """As `match`, for the host as a whole."""
        name = next(_listed_above(host, self.hosts), None)
        return None if name is None else (self.hosts[name], name)

    def has_addresses(self, host: str) -> bool:
        """Whether an entry names a part of this host, so that its pages must be looked at one by one."""
        return any(True for _ in _listed_above(host, self.addresses))


@cache
def _public_suffixes() -> PublicSuffixList:
    # The snapshot in the package. The list's private part (github.io, hatenablog.com) is left out: who lists such a
    # host means all that is below it.
    return PublicSuffixList(only_icann=True)


@lru_cache(maxsize=1 << 16)
def registered_domain(host: str) -> str:
    """The domain that was registered under a public suffix: `example.co.jp` for `www.example.co.jp`.

    `host` is in lower case, as in `normal_host`. An IP address, and a host that is itself a public suffix, is its own.
    """
    if _is_ip_address(host):
        return host
    return _public_suffixes().privatesuffix(host) or host


def normal_host(host: str) -> str:
    """A host as lists hold it: lower case, no final dot, no brackets, international names in their ASCII form."""
    host = host.strip("[]").rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:  # a label too long, or no name at all: compared as it stands
        return host


def _is_ip_address(host: str) -> bool:
    """Whether a host is an IP address; a last label of digits makes it one, as in the URL standard of the WHATWG."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _listed_above(host: str, listed: Container[str]) -> Iterator[str]:
    """Those of the host and the domains above it that are `listed`, the longest first: up to the registered domain, so that an
    entry `co.jp` cannot drop a country."""
    name = normal_host(host)
    if name in listed:
        yield name
    above = name.partition(".")[2]
    while above:
        # Looked up only where it decides: it takes longer than all else here.
        if above in listed and len(above) >= len(registered_domain(name)):
            yield above
        above = above.partition(".")[2]


def _chosen_files(config: HostsConfig) -> list[tuple[str, Path]]:
    """The list files that the configuration asks for, with their lists' names, by name."""
    if config.lists is None:
        if config.categories is not None:
            raise HostListError("hosts.categories: the bundled list has none; name a folder of lists as hosts.lists")
        return [("hosts", Path(__file__).parent / "hosts.txt")]
    root = Path(config.lists)
    if not root.exists():
        raise HostListError(f"hosts.lists: no such file or folder: {config.lists}; give the path of host lists, or null")
    paths = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
    named = sorted((name, path) for path in paths if (name := _list_name(path)) is not None)
    if not named:
        raise HostListError(
            f"hosts.lists: no host lists in {config.lists}; expected CATEGORY/domains, CATEGORY/urls or CATEGORY.txt (.gz)"
        )
    if config.categories is None:
        return named
    known = {name for name, _ in named}
    for category in config.categories:
        if category not in known:
            nearest = difflib.get_close_matches(category, sorted(known), n=1) or sorted(known)
            raise HostListError(f"hosts.categories: no list {category!r} in {config.lists}; did you mean {nearest[0]!r}?")
    return [(name, path) for name, path in named if name in config.categories]


def _list_name(path: Path) -> str | None:
    """The category of a list file; None for other files (UT1 has `usage` and `expressions` beside its lists)."""
    stem = path.name.removesuffix(".gz")
    if stem in ("domains", "urls"):
        return path.parent.name
    if not stem.endswith(".txt"):
        return None
    return re.sub(r"_(domains|urls)$", "", stem.removesuffix(".txt"))


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        # By its first bytes and not by its name, since mirrors rename files.
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HostListError(f"hosts.lists: cannot read {path}: {error}; expected UTF-8 text, plain or gzip") from error
    return text.splitlines()


def _entries(lines: Iterable[str], origin: str) -> Iterator[tuple[str, str]]:
    """The entries as (host, path), the path empty for entries that name a whole host."""
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if "#" in entry:
            entry = re.sub(r"(^|\s)#.*", "", entry).rstrip()
        if not entry:
            continue
        if len(entry.split()) > 1:
            raise HostListError(f"{origin}, line {number}: {entry!r} is no host; expected one host or address a line")
        if "://" in entry:
            entry = entry.partition("://")[2]
        host, slash, rest = entry.partition("/")
        host = normal_host(host.removeprefix("*").removeprefix("."))
        if not host:
            raise HostListError(f"{origin}, line {number}: {line.strip()!r} names no host")
        yield host, slash + rest if rest else ""


def judge_hosts(
    *,
    doc_id: pa.Array | pa.ChunkedArray,
    host: pa.Array | pa.ChunkedArray,
    url: pa.Array | pa.ChunkedArray,
    n_chars: np.ndarray,
    ng_characters: np.ndarray,
    is_dating_page: np.ndarray,
    lists: HostLists,
    config: HostsConfig,
) -> tuple[pa.Table, pa.Table]:
    """The verdicts on documents, and the table `host_counts`.

    All arrays have one entry a document of the deduplicated corpus: doc_id, host and url are strings (host and url
    null where there is none), n_chars int, ng_characters int (characters that belong to NG expressions),
    is_dating_page bool. Verdicts have `rules.VERDICT_SCHEMA` and the documents' order; host_counts has one row a
    host, sorted by name (the empty name stands for documents without a host), with pages and characters in and out,
    the statistics, and list and entry where the whole host is listed.
    """
    array = pc.fill_null(host, "")
    encoded = (array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array).dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)

    def total(weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(codes, weights, minlength=len(names)).astype(np.int64)

    pages, characters, ng, dating = total(), total(n_chars), total(ng_characters), total(is_dating_page)
    ng_share, dating_share = ng / np.maximum(characters, 1), dating / np.maximum(pages, 1)
    judged = (pages >= config.minimum_pages) & np.array([name != "" for name in names], dtype=bool)

    matches = [lists.match_host(name) if name else None for name in names]
    listed = np.array([match is not None for match in matches], dtype=bool)[codes]
    partly = np.array([lists.has_addresses(name) for name in names], dtype=bool)[codes]
    for index in np.flatnonzero(partly & ~listed):
        listed[index] = lists.match(names[codes[index]], url[int(index)].as_py() or "") is not None

    verdicts = judge(
        rules_of(config),
        doc_id,
        {
            "listed_host": listed.astype(np.float64),
            "ng_character_share": np.where(judged, ng_share, 0.0)[codes],
            "dating_page_share": np.where(judged & (dating >= config.minimum_dating_pages), dating_share, 0.0)[codes],
        },
    )
    kept = verdicts["kept"].to_numpy()
    counts = pa.table(
        {
            "host": pa.array(names, pa.string()),
            "docs_in": pages,
            "docs_out": total(kept),
            "chars_in": characters,
            "chars_out": total(np.where(kept, n_chars, 0)),
            "listed_pages": total(listed),
            "list": pa.array([match[0] if match else None for match in matches], pa.string()),
            "entry": pa.array([match[1] if match else None for match in matches], pa.string()),
            "ng_characters": ng,
            "ng_character_share": ng_share,
            "dating_pages": dating,
            "dating_page_share": dating_share,
        }
    )
    return verdicts, counts.sort_by("host")
