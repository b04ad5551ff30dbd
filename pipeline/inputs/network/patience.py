"""What can go wrong with a request, in words; how often it is tried again; and how long to wait before that.

The waits grow exponentially and are jittered, so that the workers of a run do not all ask again at the same moment. Time alone is
random here: what is read does not depend on it.
"""

import asyncio
import datetime
import email.utils
import errno
import http
import os
import random
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp

# A server that sends no byte for a minute has lost the request or hangs; a busy one sends something.
STALL_SECONDS = 60.0
# Linux sends the first packet of a connection again after 1, 3, 7 and 15 s; who has not answered after the fourth is away.
CONNECT_SECONDS = 30.0
# The first wait is about the time that a proxy or a load balancer takes to choose another server; a minute is what servers that
# are restarted need.
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
# A server that asks for more is asked again after five minutes all the same: its word is often a constant.
LONGEST_RETRY_AFTER = 300.0
# Failures in a row, without a byte in between, after which an input fails. MANY takes about two minutes of waiting. FEW is for
# an address that has never answered: it is rather mistyped than away, and its user waits for the message.
MANY, FEW, ONCE = 9, 3, 1

_SLOW_DOWN = frozenset([429, 503])
_TRIED_AGAIN = frozenset([408, 425, 500, 502, 504]) | _SLOW_DOWN
_STATUS_WORDS = {
    401: "it needs a login",
    403: "the server refuses it, or hides that it is not there",
    429: "the server asks to slow down",
    503: "the server asks to slow down",
}
_NO_ROUTE = frozenset([errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN])


class Failure(NamedTuple):
    """A request that failed.

    cause: why, in words. tries: how many failures in a row end it. retry_after: seconds that the server asks to wait,
    0 for none. slow_down: whether it asks for fewer requests. is_answer: whether a server answered, so that the address is right.
    """

    cause: str
    tries: int
    retry_after: float = 0.0
    slow_down: bool = False
    is_answer: bool = False


class StatusError(Exception):
    """An answer whose status is an error."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class BrokenError(Exception):
    """An answer that ended before its stated end."""


# All that a request may end with; a failure of the program itself is none of these.
FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError, StatusError, BrokenError)


def failure_of(error: BaseException) -> Failure:
    """What an error of a request (one of FAILURES) means."""
    if isinstance(error, StatusError):
        return _failure_of_status(error)
    cause = next((words for kind, words in _CAUSES if isinstance(error, kind)), None)
    if cause is not None:
        return Failure(*cause)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure(_cannot_connect(error), FEW)
    if isinstance(error, asyncio.TimeoutError):
        return Failure(f"no byte came for {STALL_SECONDS:g} s", MANY, is_answer=True)
    return Failure(f"the connection broke ({_short(error)})", MANY, is_answer=True)


_CAUSES: tuple[tuple[type[BaseException], tuple[str, int]], ...] = (
    (aiohttp.ConnectionTimeoutError, ("the server does not answer (timed out)", FEW)),
    (aiohttp.ClientConnectorDNSError, ("host not found", FEW)),
    (aiohttp.ClientConnectorCertificateError, ("the server's TLS certificate is not accepted", ONCE)),
    (aiohttp.ClientSSLError, ("no TLS connection can be made; is it http:// rather than https://?", ONCE)),
    (aiohttp.InvalidURL, ("it is no valid web address, or redirects to one that is none", ONCE)),
    (aiohttp.TooManyRedirects, ("it redirects in a circle", ONCE)),
)


def _failure_of_status(error: StatusError) -> Failure:
    try:
        phrase = http.HTTPStatus(error.status).phrase.lower()
    except ValueError:
        phrase = "unknown status"
    words = f": {_STATUS_WORDS[error.status]}" if error.status in _STATUS_WORDS else ""
    return Failure(
        f"{error.status} {phrase}{words}",
        MANY if error.status in _TRIED_AGAIN else ONCE,
        retry_after(error.headers),
        error.status in _SLOW_DOWN,
        is_answer=True,
    )


def _cannot_connect(error: aiohttp.ClientConnectorError) -> str:
    """Why no connection was made. With several addresses for a host, Python joins their errors and keeps no number."""
    number = error.os_error.errno
    text = str(error.os_error)
    if number == errno.ECONNREFUSED or f"Errno {errno.ECONNREFUSED}" in text or "Connect call failed" in text:
        return "connection refused"
    if number in _NO_ROUTE or any(f"Errno {code}" in text for code in _NO_ROUTE):
        return "no route to the host"
    return f"cannot connect ({os.strerror(number) if number else _short(error)})"


def _short(error: BaseException) -> str:
    """The beginning of an error's message, or its type if it has none."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to wait, at most LONGEST_RETRY_AFTER; 0 if it asks for nothing that can be read.

    The header holds seconds or a date (RFC 9110, section 10.2.3); a date is compared with the server's own clock if it is told.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_RETRY_AFTER)
    until = _date(value)
    if until is None:
        return 0.0
    now = _date(headers.get("Date", "")) or datetime.datetime.now(datetime.UTC)
    return min(max(0.0, (until - now).total_seconds()), LONGEST_RETRY_AFTER)


def _date(value: str) -> datetime.datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def wait_before(failures: int, asked: float) -> float:
    """Seconds to wait after the given number of failures in a row (1 or more), of which the server `asked` for some.

    Half of the wait is random ("equal jitter", M. Brooker, "Exponential Backoff And Jitter", AWS 2015); a wait that a server asks
    for is exceeded by up to a tenth.
    """
    growing = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (failures - 1))
    return max(growing * random.uniform(0.5, 1.0), asked * random.uniform(1.0, 1.1))
