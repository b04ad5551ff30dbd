"""Lists of hosts and addresses: which files the manifest names, how they are read, and what an entry matches.

Lists have the format of the UT1 blacklists (Université Toulouse Capitole): one host, or one address without its scheme, per
line, in files `CATEGORY/domains`, `CATEGORY/urls`, `CATEGORY_domains.txt` or `CATEGORY.txt`, plain or compressed (.gz). Empty
lines and comments (from `#` at the beginning of a line or after a space) are skipped.
"""

import gzip
import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import nearest
from pipeline.errors import UserError
from pipeline.hosts.config import HostsConfig
from pipeline.text.urls import normal_host, registered_domain


class HostListError(UserError):
    """Host lists that the manifest names cannot be used; the message names the key or file, and what to do."""


@dataclass(frozen=True)
class HostLists:
    """Listed hosts and addresses, and the list each is from (the first by name if several have it).

    hosts: host -> list. addresses: host -> ((path, list), ...), for entries that name a part of a host. digest: 32 hex
    digits of all entries and names, whatever folder the files are in.
    """

    hosts: Mapping[str, str]
    addresses: Mapping[str, tuple[tuple[str, str], ...]]
    digest: str

    @classmethod
    def load(cls, config: HostsConfig) -> "HostLists":
        """Read the lists that the manifest names, or the bundled one.

        Raises HostListError, with the key and what to do, for a path without lists, an unknown category, or a line that is not a
        host.
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
        """The list that names this host or address, and its entry; None if there is none.

        An entry matches its host and all hosts below it; an IP address matches only itself. An entry with a path matches the
        addresses that begin with it, up to their end or one of `/?#&`.
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
        """Whether an entry names a part of this host, so that its pages must be matched one by one."""
        return any(True for _ in _listed_above(host, self.addresses))


def _listed_above(host: str, listed: Container[str]) -> Iterator[str]:
    """The host and the domains above it that are `listed`, the longest first, up to the registered domain.

    So an entry `co.jp` cannot drop a country.
    """
    name = normal_host(host)
    if name in listed:
        yield name
    above = name.partition(".")[2]
    while above:
        # The registered domain is looked up only if it decides: that takes longer than everything else here.
        if above in listed and len(above) >= len(registered_domain(name)):
            yield above
        above = above.partition(".")[2]


def _chosen_files(config: HostsConfig) -> list[tuple[str, Path]]:
    """The list files that the configuration names, with the names of their lists, sorted by name. Raises HostListError."""
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
            close = nearest(category, known) or min(known)
            raise HostListError(f"hosts.categories: no list {category!r} in {config.lists}; did you mean {close!r}?")
    return [(name, path) for name, path in named if name in config.categories]


def _list_name(path: Path) -> str | None:
    """The category of a list file; None for other files (UT1 has `usage` and `expressions` next to its lists)."""
    stem = path.name.removesuffix(".gz")
    if stem in ("domains", "urls"):
        return path.parent.name
    if not stem.endswith(".txt"):
        return None
    return re.sub(r"_(domains|urls)$", "", stem.removesuffix(".txt"))


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        # Told by the first bytes, not by the name, since mirrors rename files.
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HostListError(f"hosts.lists: cannot read {path}: {error}; expected UTF-8 text, plain or gzip") from error
    return text.splitlines()


def _entries(lines: Iterable[str], origin: str) -> Iterator[tuple[str, str]]:
    """The entries as (host, path), with an empty path for entries that name a whole host. Raises HostListError."""
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
