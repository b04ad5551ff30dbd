"""A file on a web server as a seekable stream that survives the server's failures.

The file is asked for in ranges that grow while it is read in order, so a reader that jumps asks for little and one that reads all
asks seldom. A request that fails is repeated from the first byte that is missing. A server without ranges is read from the
start; what was read already is passed over. A file that changes while it is read ends in an error, never in a mixture.
"""

import io
import logging
import re
import tempfile
import time
import zlib
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import aiohttp

from pipeline.inputs.network import patience
from pipeline.inputs.network.answer import Answer
from pipeline.inputs.network.session import address, is_other_version, new_session, version_of, wait_for
from pipeline.inputs.record import InputError

# The first range is more than a Parquet footer or the head of a file needs; the last one costs one request in about a second of
# reading over a fast line, and a server's time-out for a slow reader is not reached within it.
_FIRST_RANGE, _LAST_RANGE = 1 << 20, 64 << 20
# Up to here, reading on costs less than another request (100 ms at 10 MB/s).
_PASSED_OVER = 1 << 20
_CHUNK_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
# zlib: a header of gzip or of zlib, whichever comes.
_GZIP_OR_ZLIB = 47
# Shorter waits are not worth a line.
_TOLD_SECONDS = 5.0

_log = logging.getLogger(__name__)


class HttpFile(io.RawIOBase):
    """The bytes of the file at `url`. Reading raises InputError if the server fails too often or refuses.

    version: the state that the file must have, as `version_of` gives it; "" if any will do.
    """

    def __init__(self, url: str, version: str = "") -> None:
        super().__init__()
        self.url = url
        self._version = version
        self._position = 0
        self._size: int | None = None
        self._has_ranges = True
        self._range = _FIRST_RANGE
        self._failures = 0
        self._has_answered = False
        self._session = wait_for(_opened())
        self._answer: Answer | None = None
        self._at = 0  # the position in the file of the answer's next byte
        self._end: int | None = None  # the position after the answer's last byte; None if it is not told
        self._unpacker: Any = None
        self._kept: IO[bytes] | None = None  # what was read from a server without ranges, once a reader goes back

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        self._position = max(0, offset + (self._find_size() if start is None else start))
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._drop()
            wait_for(self._session.close())
            if self._kept is not None:
                self._kept.close()
        super().close()

    def _read(self, count: int) -> bytes:
        if self._kept is None:
            data = self._fetch(self._position, count) if self._has_ranges or self._position >= self._at else None
            if data is not None:
                return data
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115  closed with this file
        have = self._kept.seek(0, io.SEEK_END)
        while have < self._position + count and (data := self._fetch(have, _CHUNK_BYTES)):
            have += self._kept.write(data)
        self._kept.seek(self._position)
        return self._kept.read(count)

    def _find_size(self) -> int:
        """The size in bytes; the whole file is read if the server does not tell it."""
        self._fetch(self._position, 0)
        if self._size is None:
            self._kept = self._kept or tempfile.TemporaryFile()  # noqa: SIM115
            have = self._kept.seek(0, io.SEEK_END)
            while data := self._fetch(have, _CHUNK_BYTES):
                have += self._kept.write(data)
            self._size = have
        return self._size

    def _fetch(self, position: int, count: int) -> bytes:
        """At least one and at most `count` bytes from `position` on; none at the end of the file, or if `count` is 0."""
        while True:
            try:
                data = wait_for(self._bytes_at(position, count))
            except patience.FAILURES as error:
                self._drop()
                self._pause_or_raise(patience.failure_of(error), position)
                continue
            if data:
                self._failures, self._has_answered = 0, True
            return data

    def _pause_or_raise(self, failure: patience.Failure, position: int) -> None:
        self._failures += 1
        self._has_answered = self._has_answered or failure.is_answer
        tries = patience.MANY if failure.tries == patience.FEW and self._has_answered else failure.tries
        where = f", at byte {position:,}" + (f" of {self._size:,}" if self._size is not None else "") if position else ""
        if self._failures >= tries:
            times = f" ({self._failures} tries)" if self._failures > 1 else ""
            raise InputError(f"{self.url}: {failure.cause}{where}{times}")
        seconds = patience.wait_before(self._failures, failure.retry_after)
        if seconds >= _TOLD_SECONDS:
            _log.warning("%s: %s%s; asked again in %.0f s", self.url, failure.cause, where, seconds)
        time.sleep(seconds)

    async def _bytes_at(self, position: int, count: int) -> bytes:
        while self._size is None or position < self._size:
            if self._answer is not None and not self._at <= position <= self._at + _PASSED_OVER and self._has_ranges:
                self._drop()
                self._range = _FIRST_RANGE
            if self._answer is not None and position < self._at:
                self._drop()
            if self._answer is None and not await self._ask(position):
                continue
            if not count:
                break
            data = await self._take(min(position - self._at, _CHUNK_BYTES) if self._at < position else count)
            self._at += len(data)
            if not data:
                self._end_answer()
            elif self._at > position:
                return data
        return b""

    async def _ask(self, position: int) -> bool:
        """Ask for what begins at `position`; False if nothing came and the question has to be put again, or the file ends."""
        headers = {}
        if self._has_ranges:
            headers["Range"] = f"bytes={position}-{position + self._range - 1}"
            if self._version and not self._version.startswith("W/"):
                headers["If-Range"] = self._version
        answer = await self._session.get(address(self.url), headers=headers)
        if answer.status == 416 and self._has_ranges:
            answer.close()
            self._learn_end(answer.headers, position)
            return False
        if answer.status not in (200, 206):
            answer.close()
            raise patience.StatusError(answer.status, answer.headers)
        is_packed = self._is_packed(answer.headers)
        if is_packed and answer.status == 206:  # the range is of the packed bytes
            answer.close()
            self._has_ranges = False
            return False
        if is_other_version(answer.headers, self._version):
            answer.close()
            self._changed()
        self._version = self._version or version_of(answer.headers)
        self._has_ranges = answer.status == 206
        self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if is_packed else None
        start, end, size = _extent(answer)
        if is_packed:
            end = size = None
        if start > position or (self._has_ranges and start < position) or (None not in (size, self._size) and size != self._size):
            answer.close()
            self._changed()
        self._size = self._size if size is None else size
        self._answer, self._at, self._end = Answer(answer), start, end
        self._range = min(2 * self._range, _LAST_RANGE)
        return True

    def _is_packed(self, headers: Mapping[str, str]) -> bool:
        """Whether the server packs the file on its way. On a `.gz` file the header only says what the file is."""
        encoding = headers.get("Content-Encoding", "identity").strip().lower().removeprefix("x-") or "identity"
        if encoding == "identity" or (encoding == "gzip" and address(self.url).path.lower().endswith((".gz", ".tgz"))):
            return False
        if encoding not in ("gzip", "deflate"):
            raise InputError(f"{self.url}: the server packs it as {encoding} although it was asked not to; download it first")
        return True

    def _learn_end(self, headers: Mapping[str, str], position: int) -> None:
        """Learn from the answer "no such range" where the file ends."""
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if found is None or found[3] == "*" or int(found[3]) > position:
            self._has_ranges = False
        elif self._size not in (None, int(found[3])):
            self._changed()
        else:
            self._size = int(found[3])

    async def _take(self, count: int) -> bytes:
        """The next bytes of the answer, unpacked; none at its end. Raises BrokenError if that comes too early."""
        assert self._answer is not None
        if self._unpacker is None:
            return await self._answer.read(count)
        while not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or await self._answer.read(count)
            try:
                data: bytes = self._unpacker.decompress(packed, count)
            except zlib.error as error:
                raise InputError(f"{self.url}: the server packs it on its way, and that is damaged: {error}") from error
            if data:
                return data
            if not packed:
                raise patience.BrokenError("the packed answer ends too early")
        return b""

    def _end_answer(self) -> None:
        """The answer is read: either another range follows, or the file ends here."""
        self._drop()
        if self._end is not None and self._at < self._end:
            raise patience.BrokenError(f"{self._end - self._at:,} bytes are missing")
        if not self._has_ranges:
            self._size = self._at

    def _drop(self) -> None:
        """Give up the present answer. Its connection is used again only if the answer was read to its end."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _changed(self) -> NoReturn:
        raise InputError(f"{self.url} changed on the server since it was looked up; `run --refresh` looks it up again")


async def _opened() -> aiohttp.ClientSession:
    return new_session(connections=1)


def _extent(answer: aiohttp.ClientResponse) -> tuple[int, int | None, int | None]:
    """Where in the file an answer begins, where it ends, and the size of the file; None if it is not told."""
    if answer.status == 200:
        return 0, answer.content_length, answer.content_length
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None or found[1] is None:
        raise patience.BrokenError("the answer does not say which range it is")
    return int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])
