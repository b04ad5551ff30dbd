"""Reading CSV and TSV with a header."""

import gzip
import io

import pytest

from pipeline.inputs.config import DEFAULT_FIELDS
from pipeline.inputs.delimited import read_delimited
from pipeline.inputs.record import InputError, Limits, Record, Source

LIMITS = Limits(1_000, 1_000)


def records(content: bytes, name: str = "a.csv") -> list[Record]:
    return list(read_delimited(io.BytesIO(content), Source(name, 0, -1, ""), LIMITS, DEFAULT_FIELDS))


def outline(content: bytes) -> list[str]:
    return [record.problem or record.text for record in records(content)]


def test_rows_are_read_with_their_fields_and_their_places() -> None:
    content = 'id,text,url\r\n1,"一行め\n二行め、""引用""",http://a.example/\r\n\r\n2,短い,\r\n'.encode()
    first, second = records(content)
    assert (first.record_id, first.text, first.url) == ("1", '一行め\n二行め、"引用"', "http://a.example/")
    assert (second.record_id, second.text, second.url) == ("2", "短い", "")
    assert content[first.offset :].startswith(b"1,")
    assert content[second.offset :].startswith(b"2,")


@pytest.mark.parametrize("sign", [",", "\t", ";"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_header_shows_what_separates_columns(sign: str, mark: str) -> None:
    content = f"{mark}text{sign}id\na b{sign}1\nc{sign}2\n".encode()
    assert [(record.text, record.record_id) for record in records(gzip.compress(content))] == [("a b", "1"), ("c", "2")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1,a,b", "it has 3 fields, the header 2"),
        (b"1", "it has 1 fields, the header 2"),
        (b'1,"never closed', "unexpected end of data"),
        (b'1,"a"b', "expected after"),
        ("1,春の海を見に行きました".encode("cp932"), "Shift_JIS"),
    ],
)
def test_a_bad_row_is_one_corrupt_record_that_says_why(row: bytes, reason: str) -> None:
    first, bad, last = records(b"id,text\n0,first\n" + row + b"\n2,last\n")
    assert (first.text, bad.problem, last.text) == ("first", "corrupt_record", "last")
    assert reason in bad.detail


def test_a_row_above_the_limit_is_flagged() -> None:
    assert outline(b"id,text\n1,a\n2," + b"x" * 5_000 + b"\n3,b\n") == ["a", "oversized_text", "b"]


def test_tab_separated_text_may_hold_quotation_marks() -> None:
    assert outline(b'id\ttext\n1\t"Hello" he said\n2\tit is 5" long\n') == ['"Hello" he said', 'it is 5" long']


def test_a_header_without_text_names_its_columns() -> None:
    with pytest.raises(InputError, match=r"a\.csv has no column .*it has id, body"):
        records(b"id,body\n1,a\n")
    with pytest.raises(InputError, match="Shift_JIS"):
        records("番号,これはテキスト,text\n".encode("cp932"))
