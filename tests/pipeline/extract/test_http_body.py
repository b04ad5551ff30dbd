"""Unpacking of bodies, and refusal of decompression bombs."""

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.http_body import BodyError, BodyTooLargeError, decode_body

LIMIT = 1_000_000
PAGE = b"<html>" + "本文".encode() * 500
PACKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


@pytest.mark.parametrize("name", PACKERS)
def test_each_content_encoding_is_undone(name: str) -> None:
    assert decode_body(PACKERS[name](PAGE), "", name, LIMIT) == PAGE


def test_deflate_without_a_zlib_header_is_undone() -> None:
    assert decode_body(raw_deflate(PAGE), "", "deflate", LIMIT) == PAGE


def test_several_encodings_are_undone_last_first() -> None:
    assert decode_body(brotli.compress(gzip.compress(PAGE)), "", "gzip, br", LIMIT) == PAGE


@pytest.mark.parametrize("name", PACKERS)
def test_a_body_stored_unpacked_under_its_old_header_is_left_alone(name: str) -> None:
    assert decode_body(PAGE, "", name, LIMIT) == PAGE


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_stopped_at_the_limit(name: str) -> None:
    with pytest.raises(BodyTooLargeError) as caught:
        decode_body(PACKERS[name](b"a" * 50 * LIMIT), "", name, LIMIT)
    assert LIMIT < caught.value.size < 3 * LIMIT


@pytest.mark.parametrize("name", PACKERS)
def test_a_body_cut_off_is_an_error(name: str) -> None:
    packed = PACKERS[name](PAGE)
    with pytest.raises(BodyError):
        decode_body(packed[: len(packed) // 2], "", name, LIMIT)


def test_a_packed_body_of_unknown_encoding_is_an_error_that_names_it() -> None:
    with pytest.raises(BodyError, match="compress42"):
        decode_body(b"\x1f\x9d\x90" + bytes(range(256)), "", "compress42", LIMIT)


NO_CODINGS = [
    "none",
    "utf-8",
    "utf8",
    "iso-8859-1",
    "text/html",
    "8bit",
    "binary",
    "x-deflate",
    "x-gzip",
    "null",
    "gzip;q=1.0",
    '""',
]
PLAIN = {
    "markup": PAGE,
    "text before the markup": b"PHP Warning: no such file\n" + PAGE,
    "ISO-2022-JP": "水車小屋<html>".encode("iso2022_jp"),
    "UTF-16": "<html>水車小屋".encode("utf-16"),
    "UTF-16 without a mark": "<html>水車小屋".encode("utf-16-le"),
    "nothing": b"",
}


@pytest.mark.parametrize("body", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("name", [*NO_CODINGS, "gzip", "deflate", "br", "zstd", "gzip, deflate, br", "identity, none"])
def test_a_plain_body_is_left_alone_whatever_is_announced(body: bytes, name: str) -> None:
    assert decode_body(body, "", name, LIMIT) == body


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
@pytest.mark.parametrize("name", ["", "identity", "none", "utf-8", "br", "deflate", "gzip, deflate", "gzip, deflate, br, zstd"])
def test_a_packed_body_is_known_by_its_first_bytes_whatever_is_announced(packer: str, name: str) -> None:
    assert decode_body(PACKERS[packer](PAGE), "", name, LIMIT) == PAGE


@pytest.mark.parametrize("packer", ["br", "deflate"])
@pytest.mark.parametrize("name", ["gzip, deflate, br", "br, deflate", "deflate, br", "none, br, x-deflate"])
def test_of_several_codings_announced_the_one_that_fits_is_undone(packer: str, name: str) -> None:
    assert decode_body(PACKERS[packer](PAGE), "", name, LIMIT) == PAGE


@pytest.mark.parametrize("name", ["gzip", "gzip, gzip", ""])
def test_a_body_packed_twice_is_unpacked_twice(name: str) -> None:
    assert decode_body(gzip.compress(gzip.compress(PAGE)), "", name, LIMIT) == PAGE


def test_all_members_of_a_gzip_body_are_read_and_bytes_after_them_ignored() -> None:
    body = gzip.compress(PAGE[:100]) + gzip.compress(PAGE[100:])
    assert decode_body(body + b"\r\n", "", "gzip", LIMIT) == PAGE
    with pytest.raises(BodyTooLargeError):
        decode_body(gzip.compress(b"a" * LIMIT) * 3, "", "gzip", LIMIT)
    with pytest.raises(BodyError, match="ends early"):
        decode_body(body[:-20], "", "gzip", LIMIT)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_chunks_are_joined(pieces: list[bytes]) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    assert decode_body(body, "chunked", "", LIMIT) == b"".join(pieces)


def test_a_body_said_to_be_chunked_that_is_not_is_left_alone() -> None:
    assert decode_body(PAGE, "chunked", "", LIMIT) == PAGE


def test_a_chunk_longer_than_the_body_is_an_error() -> None:
    with pytest.raises(BodyError, match="chunk at byte"):
        decode_body(b"5\r\nhello\r\nff\r\nshort", "chunked", "", LIMIT)
