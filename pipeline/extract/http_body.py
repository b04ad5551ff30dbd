"""Undoes the transfer and content encodings of an HTTP body, up to a size limit.

Archives store bodies as received, or already unpacked but with the original headers, and servers announce what they do not do:
`none`, a charset, all codings that the client accepts. So the body decides. gzip and zstd are recognised by their first bytes,
announced or not. deflate and brotli have none, so they are tried if they are announced and the body does not begin like markup.
Names that are no coding are ignored, as browsers do, if the body reads as text.
"""

import re
import zlib
from collections.abc import Callable

import brotli
import zstandard

from pipeline.extract.content_type import SNIFFED_BYTES

# More than any server applies; a body can be made that unpacks to itself for ever.
_MOST_CODINGS = 4
# Binary data bytes (https://mimesniff.spec.whatwg.org, section 3). Of packed bytes one in nine is such a byte.
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_GZIP_SIGNATURE = b"\x1f\x8b\x08"
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

    transfer_encoding, content_encoding: the values of the headers in lower case; several are separated by commas.

    Raises BodyError if the stream is broken or its encoding unknown, BodyTooLargeError if it unpacks beyond `limit`.
    """
    if "chunked" in transfer_encoding:
        body = _join_chunks(body)
    body = _unpack(body, _listed(content_encoding), limit)
    if len(body) > limit:
        raise BodyTooLargeError(len(body))
    return body


def _listed(content_encoding: str) -> list[str]:
    """The names in the header, in the order in which the codings are to be undone: the last applied first."""
    names = (part.partition(";")[0].strip(" \t\"'") for part in content_encoding.split(","))
    return [name for name in reversed([*names]) if name not in ("", "identity")]


def _unpack(body: bytes, announced: list[str], limit: int) -> bytes:
    """`body` without its codings, however many of those announced are there."""
    without_signature = [name for name in announced if name in _WITHOUT_SIGNATURE]
    for _ in range(_MOST_CODINGS):
        signed = next((unpack for signature, unpack in _WITH_SIGNATURE if body.startswith(signature)), None)
        if signed is not None:
            body = signed(body, limit)
            continue
        if _looks_like_markup(body) or not body:
            return body
        unpacked = _first_that_unpacks(body, without_signature, limit)
        if unpacked is None:
            break
        body = unpacked
    # A few packed bytes can read as text, but hardly as text with markup.
    if _reads_as_text(body) and (not without_signature or b"<" in body[:SNIFFED_BYTES]):
        return body
    unknown = [name for name in announced if name not in _KNOWN]
    if without_signature or unknown:
        what = "is broken or ends early" if without_signature else "has an unknown coding"
        raise BodyError(f"the body {what}, content encoding {', '.join(announced)!r}")
    return body


def _first_that_unpacks(body: bytes, names: list[str], limit: int) -> bytes | None:
    """`body` without the first of the codings `names` that it is in, which is taken from them; None if it is in none."""
    for name in names:
        try:
            unpacked = _WITHOUT_SIGNATURE[name](body, limit)
        except BodyError:
            continue
        names.remove(name)
        return unpacked
    return None


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
    return body[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] == b"<"


def _reads_as_text(body: bytes) -> bool:
    """Whether the beginning has no control characters but those of texts, escapes of ISO-2022-JP among them."""
    return not _BINARY.search(body, 0, SNIFFED_BYTES)


def _inflate(body: bytes, limit: int) -> bytes:
    # 47: zlib or gzip, detected from the header; some servers send raw deflate (-15) as "deflate".
    for window_bits in (47, -15):
        decompressor = zlib.decompressobj(wbits=window_bits)
        try:
            unpacked = decompressor.decompress(body, limit + 1)
        except zlib.error:
            continue
        while decompressor.eof and decompressor.unused_data.startswith(_GZIP_SIGNATURE) and len(unpacked) <= limit:
            rest = decompressor.unused_data  # a gzip file may have several members (RFC 1952, section 2.2)
            decompressor = zlib.decompressobj(wbits=window_bits)
            try:
                unpacked += decompressor.decompress(rest, limit + 1 - len(unpacked))
            except zlib.error as error:
                raise BodyError("a later member of the gzip body is broken") from error
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


_Unpacker = Callable[[bytes, int], bytes]
_WITH_SIGNATURE: tuple[tuple[bytes, _Unpacker], ...] = ((_GZIP_SIGNATURE, _inflate), (b"\x28\xb5\x2f\xfd", _unzstd))
_WITHOUT_SIGNATURE: dict[str, _Unpacker] = {"deflate": _inflate, "x-deflate": _inflate, "br": _unbrotli}
_KNOWN = {*_WITHOUT_SIGNATURE, "gzip", "x-gzip", "zstd"}
