"""Reading ARC and WACZ files, and text files."""

import gzip
import io
import zipfile

import pytest

from pipeline.inputs.arc import read_arc
from pipeline.inputs.config import DEFAULT_FIELDS
from pipeline.inputs.plain_text import read_text
from pipeline.inputs.record import InputError, Limits, Record, Source
from pipeline.inputs.wacz import read_wacz
from tests.pipeline.inputs.warc_files import GOOD_PAGE, gzipped, warc_record

LIMIT = 10_000
MESSAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=x\r\n\r\n" + GOOD_PAGE


def arc_record(number: int, version: int = 1, block: bytes = MESSAGE, length: int | None = None) -> bytes:
    stated = len(block) if length is None else length
    extra = "200 checksum - 0 a.arc " if version == 2 else ""
    return f"http://site.example/{number} 10.0.0.1 2010010200000{number} text/html {extra}{stated}\n".encode() + block + b"\n"


def arc_head(version: int) -> bytes:
    block = f"{version} 0 Example\nURL IP-address Archive-date Content-type Archive-length\n".encode()
    extra = "200 - - 0 a.arc " if version == 2 else ""
    return f"filedesc://a.arc 0.0.0.0 20100101000000 text/plain {extra}{len(block)}\n".encode() + block + b"\n"


def arc(content: bytes) -> list[Record]:
    return list(read_arc(io.BytesIO(content), "a.arc", LIMIT))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_the_records_of_an_arc_file_are_read(version: int, packed: bool) -> None:
    pieces = [arc_head(version), *(arc_record(number, version) for number in range(3))]
    pieces = gzipped(pieces) if packed else pieces
    head, *found = arc(b"".join(pieces))
    assert (head.kind, head.problem) == ("filedesc", "")
    assert [record.offset for record in found] == [sum(map(len, pieces[: 1 + number])) for number in range(3)]
    assert [(record.url, record.date) for record in found] == [
        (f"http://site.example/{number}", f"2010-01-02T00:00:0{number}Z") for number in range(3)
    ]
    for record in found:
        assert (record.kind, record.http_status, record.http_charset, record.body) == ("response", 200, "x", GOOD_PAGE)


@pytest.mark.parametrize("length", [3, 500, -1])
@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_length_costs_one_record_of_an_arc_file(length: int, packed: bool) -> None:
    pieces = [arc_head(1), arc_record(0), arc_record(1, length=length), arc_record(2)]
    found = arc(b"".join(gzipped(pieces) if packed else pieces))
    assert [record.problem for record in found] == ["", "", "corrupt_record", ""]


def test_a_record_without_an_http_message_has_the_type_of_its_header() -> None:
    (record,) = arc(arc_record(1, block=GOOD_PAGE))
    assert (record.content_type, record.http_status, record.body) == ("text/html", None, GOOD_PAGE)


def test_what_is_no_arc_file_is_said() -> None:
    with pytest.raises(InputError, match=r"a\.arc: no ARC record can be read"):
        arc(b"<html>no archive</html>" * 50)


def wacz(files: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


ARCHIVES = {
    "datapackage.json": b"{}",
    "archive/b.warc.gz": b"".join(gzipped([warc_record(2), warc_record(3)])),
    "archive/a.warc": warc_record(0) + warc_record(1),
}


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_archives_in_a_wacz_file_are_read_in_the_order_of_their_names(how: int) -> None:
    found = list(read_wacz(io.BytesIO(wacz(ARCHIVES, how)), "a.wacz", LIMIT))
    assert [record.url for record in found] == [f"http://site.example/{number}" for number in range(4)]
    assert [record.inside for record in found] == ["archive/a.warc"] * 2 + ["archive/b.warc.gz"] * 2
    assert [record.offset for record in found] == [0, len(warc_record(0)), 0, len(gzipped([warc_record(2)])[0])]


def test_damage_in_one_archive_of_a_wacz_file_leaves_the_others() -> None:
    files = {**ARCHIVES, "archive/a.warc": b"no archive at all"}
    found = list(read_wacz(io.BytesIO(wacz(files)), "a.wacz", LIMIT))
    assert [(record.problem, record.inside) for record in found] == [
        ("corrupt_record", "archive/a.warc"),
        ("", "archive/b.warc.gz"),
        ("", "archive/b.warc.gz"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(wacz({"a.txt": b""}), "has no WARC file"), (b"no zip", "is not a WACZ file"), (wacz(ARCHIVES)[:-30], "its end is missing")],
)
def test_what_is_no_wacz_file_is_said(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.wacz {message}|a\.wacz is not a WACZ file, or {message}"):
        list(read_wacz(io.BytesIO(content), "a.wacz", LIMIT))


def test_a_text_file_is_one_record_as_it_is() -> None:
    def read(content: bytes) -> list[Record]:
        return list(read_text(io.BytesIO(content), Source("a.txt", 0, -1, ""), Limits(1_000, 1_000), DEFAULT_FIELDS))

    content = "春の海。\n\n  終日のたり\n".encode("cp932")
    (record,) = read(gzip.compress(content))
    assert (record.kind, record.body, record.problem) == ("text", content, "")
    assert [record.problem for record in read(b"x" * 1_001)] == ["oversized_text"]
    before, damage = read(gzip.compress(content * 20, 0)[:-40])
    assert len(before.body) > 400
    assert (content * 20).startswith(before.body)
    assert damage.problem == "corrupt_record"
    assert read(b"") == []
