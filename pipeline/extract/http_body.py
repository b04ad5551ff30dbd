"""Undoes the transfer and content encodings of an HTTP body, up to a size limit.

Archives store bodies as received, or already unpacked but with the original headers. So an encoding that a header announces is
undone only if the body looks encoded that way.
"""

import re
import zlib
from collections.abc import Callable

import brotli
import zstandard

_CHUNK_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class BodyError(Exception):
    """The body cannot be unpacked."""


class BodyTooLargeError(Exception):
    """The body unpacks to more than the limit; `size` is the number of bytes unpacked so far."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the body unpacks beyond {size} bytes")
        self.size = size


def decode_body(body: bytes, transfer_encoding: str, content_encoding: str, limit: int) -> bytes:
    """`body` without its encodings (RFC 9112 section 7, RFC 9110 section 8.4), of at most `limit` bytes.

    Raises BodyError if the stream is broken or its encoding unknown, BodyTooLargeError if it unpacks beyond `limit`.
    """
    if "chunked" in transfer_encoding:
        body = _join_chunks(body)
    # Encodings are listed in the order in which they were applied.
    for name in reversed([part.strip() for part in content_encoding.split(",")]):
        if name in ("", "identity"):
            continue
        if name not in _UNPACKERS:
            raise BodyError(f"unknown content encoding {name!r}")
        looks_packed, unpack = _UNPACKERS[name]
        if looks_packed(body):
            body = unpack(body, limit)
    if len(body) > limit:
        raise BodyTooLargeError(len(body))
    return body


def _join_chunks(body: bytes) -> bytes:
    """The content of the chunks, or the body itself if it does not begin with a chunk."""
    pieces: list[bytes] = []
    position = 0
    while match := _CHUNK_SIZE_LINE.match(body, position):
        size = int(match.group(1), 16)
        position = match.end()
        if size == 0:
            return b"".join(pieces)
        if position + size > len(body):
            break
        pieces.append(body[position : position + size])
        position += size
        position += 2 if body[position : position + 2] == b"\r\n" else body[position : position + 1] == b"\n"
    if not pieces and (position == 0 or body[:1] == b"<"):
        return body  # announced, but already undone by the archive
    raise BodyError(f"chunk at byte {position} of {len(body)} is broken")


def _looks_like_markup(body: bytes) -> bool:
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _inflate(body: bytes, limit: int) -> bytes:
    # 47: zlib or gzip, detected from the header; some servers send raw deflate (-15) as "deflate".
    for window_bits in (47, -15):
        decompressor = zlib.decompressobj(wbits=window_bits)
        try:
            unpacked = decompressor.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(unpacked) > limit:
            raise BodyTooLargeError(len(unpacked))
        if decompressor.eof:
            return unpacked
    raise BodyError("the compressed body is broken or ends early")


def _unbrotli(body: bytes, limit: int) -> bytes:
    decompressor = brotli.Decompressor()
    pieces: list[bytes] = []
    size = 0
    try:
        pending = body
        while not decompressor.is_finished():
            piece = decompressor.process(pending, output_buffer_limit=limit + 1 - size)
            pending = b""
            if not piece and decompressor.can_accept_more_data():
                raise BodyError("the brotli body ends early")
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise BodyTooLargeError(size)
    except brotli.error as error:
        raise BodyError("the brotli body is broken") from error
    return b"".join(pieces)


def _unzstd(body: bytes, limit: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            unpacked = reader.read(limit + 1)
        if len(unpacked) > limit:
            raise BodyTooLargeError(len(unpacked))
        # The bounded reader does not say whether the frame is complete. The size is known to be harmless, so ask
        # by unpacking it again.
        frame = zstandard.ZstdDecompressor().decompressobj()
        frame.decompress(body)
    except zstandard.ZstdError as error:
        raise BodyError(f"the zstd body is broken: {error}") from error
    if not frame.eof:
        raise BodyError("the zstd body ends early")
    return unpacked


_Unpacker = tuple[Callable[[bytes], bool], Callable[[bytes, int], bytes]]
_GZIP: _Unpacker = (lambda body: body[:2] == b"\x1f\x8b", _inflate)
# Neither deflate nor brotli has a signature; a body that begins like markup is not packed.
_UNPACKERS: dict[str, _Unpacker] = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "deflate": (lambda body: not _looks_like_markup(body), _inflate),
    "br": (lambda body: not _looks_like_markup(body), _unbrotli),
    "zstd": (lambda body: body[:4] == b"\x28\xb5\x2f\xfd", _unzstd),
}
