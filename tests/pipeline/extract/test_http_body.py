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


def test_an_unknown_encoding_is_an_error_that_names_it() -> None:
    with pytest.raises(BodyError, match="compress42"):
        decode_body(PAGE, "", "compress42", LIMIT)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_chunks_are_joined(pieces: list[bytes]) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    assert decode_body(body, "chunked", "", LIMIT) == b"".join(pieces)


def test_a_body_said_to_be_chunked_that_is_not_is_left_alone() -> None:
    assert decode_body(PAGE, "chunked", "", LIMIT) == PAGE


def test_a_chunk_longer_than_the_body_is_an_error() -> None:
    with pytest.raises(BodyError, match="chunk at byte"):
        decode_body(b"5\r\nhello\r\nff\r\nshort", "chunked", "", LIMIT)
