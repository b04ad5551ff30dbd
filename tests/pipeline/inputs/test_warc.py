"""Reading WARC files, sound and damaged."""

import gzip
import io
import re
from collections.abc import Callable

import pytest
import zstandard

from pipeline.inputs import unpacked
from pipeline.inputs.record import Record
from pipeline.inputs.warc import NotWarcError, read_warc, record_starts_after
from tests.pipeline.inputs.warc_files import GOOD_PAGE, gzipped, warc_record

LIMIT = 10_000


def records_of(content: bytes, start: int = 0, end: int = -1) -> list[Record]:
    return list(read_warc(io.BytesIO(content), "a.warc", start, end, LIMIT))


def summary(content: bytes) -> list[tuple[int, str]]:
    """(number, problem) of each record; -1 if its id is not that of a record put in."""
    numbers = {f"<urn:uuid:00000000-0000-0000-0000-{number:012d}>": number for number in range(10)}
    return [(numbers.get(record.record_id, -1), record.problem) for record in records_of(content)]


def packed(records: list[bytes], how: str) -> list[bytes]:
    if how == "plain":
        return records
    if how == "gzip":
        return gzipped(records)
    return [zstandard.compress(record) for record in records]


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_sound_records_are_read_with_their_places(how: str) -> None:
    pieces = packed([warc_record(number) for number in range(4)], how)
    found = records_of(b"".join(pieces))
    assert [record.offset for record in found] == [sum(map(len, pieces[:index])) for index in range(4)]
    assert all(record.body == GOOD_PAGE and not record.problem for record in found)
    assert found[1].url == "http://site.example/1"
    assert found[1].date == "2024-01-02T00:00:00Z"
    assert found[1].http_status == 200
    assert found[1].content_type == "text/html"


@pytest.mark.parametrize("how", ["plain", "gzip"])
@pytest.mark.parametrize("length", [30, 400])
def test_a_wrong_length_costs_one_record(how: str, length: int) -> None:
    records = [warc_record(0), warc_record(1, length=length), warc_record(2), warc_record(3)]
    assert summary(b"".join(packed(records, how))) == [(0, ""), (1, "corrupt_record"), (2, ""), (3, "")]


def test_a_damaged_gzip_member_costs_one_record() -> None:
    members = gzipped([warc_record(number) for number in range(4)])
    damaged = bytearray(members[1])
    damaged[60] ^= 0x55
    found = summary(members[0] + bytes(damaged) + members[2] + members[3])
    assert [item for item in found if not item[1]] == [(0, ""), (2, ""), (3, "")]
    assert [problem for _, problem in found].count("corrupt_record") == 1


@pytest.mark.parametrize("how", ["gzip", "plain"])
def test_whatever_is_cut_out_of_the_middle_the_other_records_are_read(how: str) -> None:
    pieces = packed([warc_record(number) for number in range(4)], how)
    # In a plain file, the first bytes of a record look like the end of the record before.
    for kept in range(12, len(pieces[1]) - 70):
        found = summary(pieces[0] + pieces[1][:kept] + pieces[2] + pieces[3])
        good = [number for number, problem in found if not problem]
        assert {0, 2, 3} <= set(good), kept
        # A plain record cut inside its header merges with the next header, so there is nothing to flag.
        if how == "gzip" or b"\r\n\r\n" in pieces[1][:kept]:
            assert "corrupt_record" in [problem for _, problem in found], kept


def test_a_file_that_ends_inside_a_record_says_so() -> None:
    members = gzipped([warc_record(number) for number in range(2)])
    # Below about 90 bytes a gzip member has no readable header; above, there is a record to flag.
    for kept in range(120, len(members[1]) - 12):
        found = summary(members[0] + members[1][:kept])
        assert found[0] == (0, "")
        assert [problem for _, problem in found[1:]] == ["corrupt_record"], kept


def test_bytes_between_records_are_reported_once() -> None:
    members = gzipped([warc_record(number) for number in range(3)])
    assert summary(members[0] + b"\0" * 50 + members[1] + members[2]) == [(0, ""), (-1, "corrupt_record"), (1, ""), (2, "")]


def test_one_gzip_stream_for_all_records_is_read() -> None:
    content = gzip.compress(b"".join(warc_record(number) for number in range(4)))
    assert summary(content) == [(number, "") for number in range(4)]


def test_a_body_above_the_limit_is_flagged_and_not_read() -> None:
    found = records_of(b"".join([warc_record(0, body=b"x" * (LIMIT + 1)), warc_record(1)]))
    assert (found[0].problem, found[0].length, found[0].body) == ("oversized_page", LIMIT + 1, b"")
    assert found[1].body == GOOD_PAGE


@pytest.mark.parametrize("length", [-5, ""])
def test_a_missing_or_negative_length_is_a_corrupt_record(length: object) -> None:
    broken = re.sub(rb"Content-Length: \d+", f"Content-Length: {length}".encode(), warc_record(1))
    found = summary(warc_record(0) + broken + warc_record(2))
    assert found == [(0, ""), (1, "corrupt_record"), (2, "")]


def test_ranges_of_a_file_hold_each_record_once() -> None:
    members = gzipped([warc_record(number) for number in range(6)])
    content = b"".join(members)
    for cut in range(1, len(content), 37):
        stream = io.BytesIO(content)
        begin = record_starts_after(stream, cut)
        first = records_of(content, 0, cut)
        second = records_of(content, begin) if begin is not None else []
        assert [record.record_id for record in [*first, *second]] == [record.record_id for record in records_of(content)]


def test_an_empty_file_holds_no_records() -> None:
    assert records_of(b"") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"filedesc://x.arc 0.0.0.0 20060101 text/plain 10\n", "is an ARC file"),
        (gzip.compress(b"filedesc://x.arc 0.0.0.0 20060101 text/plain 10\n"), "is an ARC file"),
        (b"<html>no archive</html>" * 50, "no WARC record"),
        (gzip.compress(b"nothing" * 99), "no WARC record"),
    ],
    ids=["ARC", "ARC in gzip", "HTML", "text in gzip"],
)
def test_what_is_no_warc_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(NotWarcError, match=rf"a\.warc.*{message}"):
        records_of(content)


def test_names_of_http_headers_have_any_case_and_the_values_of_a_repeated_header_are_joined() -> None:
    http = (
        "HTTP/1.1 200 OK\r\nCONTENT-TYPE: text/plain; charset=a\r\nContent-Type: text/html; charset=B\r\ncontent-ENCODING: gzip"
    )
    headers = "warc-TARGET-uri: http://second.example/\r\nwarc-truncated: \r\n"
    record = records_of(warc_record(1, url="http://first.example/", http=http, headers=headers))[0]
    assert (record.url, record.content_encoding) == ("http://first.example/", "gzip")
    assert (record.content_type, record.http_charset) == ("text/plain; charset=a, text/html; charset=b", "b")
    assert record.body == GOOD_PAGE


def with_names(record: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A record whose WARC header has other names."""
    head, blank, block = record.partition(b"\r\n\r\n")
    return re.sub(rb"(?m)^[A-Za-z-]+:", lambda name: change(name.group()), head) + blank + block


def with_ends(record: bytes, header_end: bytes, blank: bytes, record_end: bytes) -> bytes:
    """A record whose WARC header has other line ends."""
    head, _, block = record.removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
    return head.replace(b"\r\n", header_end) + blank + block + record_end


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("change", [bytes.lower, bytes.upper, bytes.title, bytes.swapcase])
def test_names_of_warc_headers_have_any_case(change: Callable[[bytes], bytes], how: str) -> None:
    usual = [warc_record(number) for number in range(6)]
    changed = [with_names(record, change) if number in (1, 2, 4) else record for number, record in enumerate(usual)]
    assert records_of(b"".join(packed(changed, how)))[-1].offset > 0
    without_places = [record._replace(offset=0) for record in records_of(b"".join(packed(usual, how)))]
    assert [record._replace(offset=0) for record in records_of(b"".join(packed(changed, how)))] == without_places


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd", "one gzip member"])
@pytest.mark.parametrize(
    ("header_end", "blank", "record_end"),
    [
        (b"\n", b"\n\n", b"\r\n\r\n"),
        (b"\n", b"\n\n", b"\n\n"),
        (b"\r\n", b"\n\n", b"\r\n\r\n"),
        (b"\r\n", b"\r\n\n", b""),
        (b"\n", b"\n\r\n", b"\n"),
    ],
)
def test_lines_of_warc_headers_end_in_line_feeds_too(header_end: bytes, blank: bytes, record_end: bytes, how: str) -> None:
    usual = [warc_record(number) for number in range(4)]
    changed = [with_ends(record, header_end, blank, record_end) for record in usual]
    content = gzip.compress(b"".join(changed)) if how.startswith("one") else b"".join(packed(changed, how))
    expected = [record._replace(offset=0) for record in records_of(b"".join(usual))]
    assert [record._replace(offset=0) for record in records_of(content)] == expected


@pytest.mark.parametrize(("line_end", "blank"), [("\n", "\n\n"), ("\r\n", "\n\n"), ("\r\n", "\n\r\n"), ("\n", "\r\n\r\n")])
def test_lines_of_http_headers_end_in_line_feeds_too(line_end: str, blank: str) -> None:
    http = line_end.join(["HTTP/1.1 200 OK", "Server: x", "Content-Type: text/html"]) + blank
    record = records_of(_with_message(http))[0]
    assert (record.http_status, record.content_type, record.body) == (200, "text/html", GOOD_PAGE)


def _with_message(message: str) -> bytes:
    return warc_record(0, body=message.encode() + GOOD_PAGE, http="").replace(
        b"text/plain", b"application/http; msgtype=response"
    )


def test_an_interim_answer_comes_before_the_page() -> None:
    record = records_of(_with_message("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"))[0]
    assert (record.http_status, record.content_type, record.body) == (200, "text/html", GOOD_PAGE)


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd", "one gzip member"])
@pytest.mark.parametrize(
    "length", ["+5", "-5", "", "5, 5", "0x10", "1e3", "１２", str(2**53 + 1), str(2**63), str(2**64), "9" * 30]
)
def test_a_length_that_cannot_be_costs_one_record(length: str, how: str) -> None:
    records = [warc_record(number) for number in range(4)]
    records[1] = re.sub(rb"Content-Length: \d+", f"Content-Length: {length}".encode(), records[1])
    content = gzip.compress(b"".join(records)) if how.startswith("one") else b"".join(packed(records, how))
    assert summary(content) == [(0, ""), (1, "corrupt_record"), (2, ""), (3, "")]
    assert all(record.length < 2**63 for record in records_of(content))


def test_a_wrong_checksum_costs_the_record_of_its_member() -> None:
    members = gzipped([warc_record(number) for number in range(3)])
    damaged = bytearray(members[1])
    damaged[-6] ^= 1
    assert summary(members[0] + bytes(damaged) + members[2]) == [(0, ""), (1, "corrupt_record"), (2, "")]


def test_a_record_goes_on_in_the_next_member() -> None:
    content = b"".join(warc_record(number) for number in range(4))
    pieces = [gzip.compress(content[at : at + 100]) for at in range(0, len(content), 100)]
    assert summary(b"".join(pieces)) == [(number, "") for number in range(4)]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_large_record_is_passed_over_within_bounds(pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "FREE_BYTES", 1 << 20)
    bomb = warc_record(1, body=bytes(64 << 20))
    found = records_of(pack(warc_record(0)) + pack(bomb) + pack(warc_record(2)))
    assert [record.problem for record in found] == ["", "corrupt_record", ""]
    assert "hold no record" in found[1].detail
