"""Hosts of URLs, and the domains under which they are registered."""

from functools import cache, lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList


def host_of(url: str) -> str:
    """The host of a URL in lower case; "" if it has none or is not a URL."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


@cache
def _public_suffixes() -> PublicSuffixList:
    # The snapshot in the package. Its private part (github.io, hatenablog.com) is left out: an entry for such a host means all
    # hosts below it.
    return PublicSuffixList(only_icann=True)


@lru_cache(maxsize=1 << 16)
def registered_domain(host: str) -> str:
    """The domain that was registered under a public suffix: `example.co.jp` for `www.example.co.jp`.

    `host` is as `normal_host` returns it. An IP address, and a host that is itself a public suffix, is its own domain.
    """
    if _is_ip_address(host):
        return host
    return _public_suffixes().privatesuffix(host) or host


def normal_host(host: str) -> str:
    """A host as lists have it: lower case, no final dot, no brackets, international names in their ASCII form."""
    host = host.strip("[]").rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:  # a label that is too long, or no name at all: compared as it is
        return host


def _is_ip_address(host: str) -> bool:
    """Whether a host is an IP address: it is if its last label is all digits, as in the URL standard of the WHATWG."""
    return ":" in host or host.rpartition(".")[2].isdigit()
