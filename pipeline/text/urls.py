"""TODO."""

from functools import cache, lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList


def host_of(url: str) -> str:
    """The host of a URL in lower case, "" when it has none or is no URL."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


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
