"""The body of an answer, read ahead while its reader works. What came before a failure is handed out before the failure."""

import asyncio
from collections import deque

import aiohttp
from fsspec.asyn import get_loop

# Ahead of the reader by about a second of a fast line.
_READ_AHEAD_BYTES = 4 << 20


class Answer:
    """The body of `response`; to be made and read in the loop.

    aiohttp forgets the bytes that it holds when a connection breaks, so they are fetched as soon as they are there.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._chunks: deque[bytes] = deque()
        self._bytes = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._filling = asyncio.ensure_future(self._fill())
        self._filling.add_done_callback(lambda _: self._news.set())

    async def _fill(self) -> None:
        async for chunk in self._response.content.iter_any():
            self._chunks.append(chunk)
            self._bytes += len(chunk)
            self._news.set()
            while self._bytes >= _READ_AHEAD_BYTES:
                self._room.clear()
                await self._room.wait()

    async def read(self, count: int) -> bytes:
        """The next bytes, at least one and at most `count`; none at the end. Raises what ended the answer too early."""
        while not self._chunks:
            if self._filling.done():
                self._filling.result()
                return b""
            self._news.clear()
            await self._news.wait()
        taken = []
        while self._chunks and count > 0:
            chunk = self._chunks.popleft()
            if len(chunk) > count:
                self._chunks.appendleft(chunk[count:])
                chunk = chunk[:count]
            taken.append(chunk)
            count -= len(chunk)
        found = b"".join(taken)
        self._bytes -= len(found)
        self._room.set()
        return found

    def close(self) -> None:
        """Give the answer up, from any thread. Its connection is used again if the answer was read to its end."""
        get_loop().call_soon_threadsafe(self._close)

    def _close(self) -> None:
        self._filling.cancel()
        if self._filling.done() and not self._filling.cancelled():
            self._filling.exception()  # seen, so that asyncio does not report it
        self._response.close()
