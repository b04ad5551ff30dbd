"""Asks web servers for the sizes and versions of many files at once."""

import asyncio
import queue
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import aiohttp
from fsspec.asyn import get_loop

from pipeline.inputs.listing import RemoteFile
from pipeline.inputs.network import patience
from pipeline.inputs.network.session import address, new_session, version_of
from pipeline.inputs.record import InputError

# A month of Common Crawl has 90,000 files; at 100 ms for an answer, 256 at a time take 35 s.
AT_A_TIME = 256
# A server that asks to slow down gets one question fewer at a time per such answer, down to this.
FEWEST_AT_A_TIME = 16


def look_up(urls: Sequence[str]) -> Iterator[RemoteFile]:
    """Ask for the files at `urls`, many at a time; yield the answers as they come, in any order.

    A file that the server does not have, or refuses, is `missing`. Raises InputError if a server cannot be reached or fails too
    often: then it fails for the others as well.
    """
    answers: queue.SimpleQueue[RemoteFile | None] = queue.SimpleQueue()
    asking = asyncio.run_coroutine_threadsafe(_look_up_all(urls, answers.put), get_loop())
    asking.add_done_callback(lambda _: answers.put(None))
    try:
        while (answer := answers.get()) is not None:
            yield answer
        asking.result()
    finally:
        asking.cancel()


async def _look_up_all(urls: Sequence[str], answer: Callable[[RemoteFile], None]) -> None:
    questions = _Questions(urls, answer)
    async with new_session(connections=AT_A_TIME) as session:
        tasks = [asyncio.ensure_future(questions.ask(session)) for _ in range(min(AT_A_TIME, len(urls)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()


class _Questions:
    """The URLs that are still to be asked for, with the failures so far of each, and when the server may be asked again."""

    def __init__(self, urls: Sequence[str], answer: Callable[[RemoteFile], None]) -> None:
        self.waiting = deque((url, 0) for url in urls)
        self.answer = answer
        self.asking = min(AT_A_TIME, len(urls))
        self.not_before = 0.0
        self.reached: set[str | None] = set()

    async def ask(self, session: aiohttp.ClientSession) -> None:
        """Ask for one URL after the other; stop when none waits, or when the server asks for fewer questions at a time."""
        clock = asyncio.get_running_loop().time
        while self.waiting:
            url, failures = self.waiting.popleft()
            while (wait := self.not_before - clock()) > 0:
                await asyncio.sleep(wait)
            try:
                self.answer(await _ask(session, url))
                self.reached.add(address(url).host)
                continue
            except patience.FAILURES as error:
                failure = patience.failure_of(error)
            failures += 1
            is_known = failure.is_answer or address(url).host in self.reached
            if failures >= (patience.MANY if is_known and failure.tries == patience.FEW else failure.tries):
                raise InputError(f"{url}: {failure.cause} ({failures} tries)")
            wait = patience.wait_before(failures, failure.retry_after)
            if failure.slow_down:
                self.not_before = max(self.not_before, clock() + wait)
                self.waiting.append((url, failures))
                if self.asking > FEWEST_AT_A_TIME:
                    self.asking -= 1
                    return
            else:
                await asyncio.sleep(wait)
                self.waiting.appendleft((url, failures))


async def _ask(session: aiohttp.ClientSession, url: str) -> RemoteFile:
    """Ask by HEAD; where that is refused, or tells no size, by a GET of the first byte."""
    async with session.head(address(url), allow_redirects=True) as answer:
        if answer.status == 200 and answer.content_length is not None and "Content-Encoding" not in answer.headers:
            return RemoteFile(url, answer.content_length, version_of(answer.headers))
        _require_answer(answer)
    async with session.get(address(url), headers={"Range": "bytes=0-0"}) as answer:
        _require_answer(answer)
        if answer.status not in (200, 206, 416):
            cause = patience.failure_of(patience.StatusError(answer.status, answer.headers)).cause
            return RemoteFile(url, missing=cause)
        size = re.search(r"/(\d+)\s*$", answer.headers.get("Content-Range", ""))
        version = version_of(answer.headers)
        answer.close()  # a server without ranges sends the whole file
    return RemoteFile(url, int(size[1]) if size else -1, version)


def _require_answer(answer: aiohttp.ClientResponse) -> None:
    """Raise StatusError for a status that may change when the question is put again."""
    error = patience.StatusError(answer.status, answer.headers)
    if answer.status >= 400 and patience.failure_of(error).tries > patience.ONCE:
        raise error
