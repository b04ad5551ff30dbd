"""What all requests share: the session with its time-outs, and the loop in which requests run."""

import asyncio
import os
import urllib.request
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import aiohttp
import yarl
from fsspec.asyn import get_loop

from pipeline.inputs.network import patience
from pipeline.inputs.record import InputError

# Answers are wanted as the bytes of the file: ranges and offsets count those, and `.gz` files are unpacked by their readers.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "kotokura"}

T = TypeVar("T")


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, done in fsspec's loop, which has a thread of its own: a notebook's own loop stays free."""
    future = asyncio.run_coroutine_threadsafe(work, get_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def new_session(connections: int) -> aiohttp.ClientSession:
    """A session that reads proxies and logins from the environment; call it in the loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=patience.CONNECT_SECONDS, sock_read=patience.STALL_SECONDS),
        auto_decompress=False,
        headers=HEADERS,
        trust_env=_environment_matters(),
    )


def _environment_matters() -> bool:
    """Whether there may be a proxy or a login: aiohttp looks for them at each request, for half the time of one."""
    netrc = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")  # noqa: PTH111  without a home, Path.expanduser fails
    return bool(urllib.request.getproxies()) or os.path.exists(netrc)  # noqa: PTH110


def address(url: str) -> yarl.URL:
    """The URL as it is sent. One without foreign characters is sent as it was given: signed addresses must not be quoted anew.

    Raises InputError if it is no address.
    """
    try:
        return yarl.URL(url, encoded=url.isascii() and " " not in url)
    except ValueError as error:
        raise InputError(f"{url} is no valid web address: {error}") from error


def version_of(headers: Mapping[str, str]) -> str:
    """What tells one state of a file from another: its strong ETag, or its Last-Modified, or a weak ETag; "" if it has none."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "") or tag


def is_other_version(headers: Mapping[str, str], version: str) -> bool:
    """Whether an answer is of another state of the file than `version`; False if it does not tell."""
    present = headers.get("ETag" if version.endswith('"') else "Last-Modified", "")
    return bool(version and present and present != version)
