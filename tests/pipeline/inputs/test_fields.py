"""From the fields of a row to a record: names, nesting, formats."""

import datetime
import decimal
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.fields import canonical_json, record_of_row
from pipeline.inputs.formats import read_records
from pipeline.inputs.record import InputError, Record
from pipeline.inputs.sources import resolve_inputs


def record(row: dict[str, Any], **fields: Any) -> Record:
    return record_of_row(row, FieldsConfig.model_validate(fields), 7, 50)


def read(path: Path, **fields: Any) -> list[Record]:
    (source,) = resolve_inputs([str(path)])
    return list(read_records(source, 10_000, FieldsConfig.model_validate(fields)))


def json_lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_other_fields_are_kept_as_metadata_with_their_nesting() -> None:
    found = record(
        {"text": "本文", "id": 12, "score": 0.5, "licence": "CC-BY", "author": {"name": "花", "ids": [1, None]}, "url": "u"}
    )
    assert (found.text, found.record_id, found.url, found.offset, found.length) == ("本文", "12", "u", 7, 50)
    assert found.metadata == '{"author":{"ids":[1,null],"name":"花"},"licence":"CC-BY","score":0.5}'


@pytest.mark.parametrize(
    "row",
    [
        {"text": "t", "id": "i", "url": "u", "timestamp": "2024-05-01"},
        {"text": "t", "id": "i", "created": "2024-05-01", "metadata": {"url": "u"}},
        {"text": "t", "id": "i", "metadata": {"url": "u", "date": "2024-05-01"}},
        {"raw_content": "t", "doc_id": "i", "url": "u", "date_download": "2024-05-01"},
        {"content": "t", "warc_headers": {"warc-target-uri": "u", "warc-date": "2024-05-01", "warc-record-id": "i"}},
        {"text": "t", "metadata": {"WARC-Target-URI": "u", "WARC-Date": "2024-05-01", "WARC-Record-ID": "i"}},
        {"text": "t", "id": "i", "meta": '{"url": "u", "timestamp": "2024-05-01"}'},
    ],
)
def test_fields_are_found_where_public_corpora_put_them(row: dict[str, Any]) -> None:
    found = record(row)
    assert (found.text, found.url, found.date, found.record_id, found.problem) == ("t", "u", "2024-05-01", "i", "")


def test_names_are_mapped_and_a_mapped_name_replaces_the_defaults() -> None:
    row = {"text": "短い", "page": {"body": "長い本文", "link": "u"}, "key": "k", "url": "other", "a.b": "題"}
    found = record(row, text="page.body", url=["none", "page.link"], id="key", title="a.b")
    assert (found.text, found.url, found.record_id, found.title) == ("長い本文", "u", "k", "題")
    assert json.loads(found.metadata) == {"page": {"link": "u"}, "text": "短い", "url": "other"}


@pytest.mark.parametrize(("row", "said"), [({"text": None}, "text is null"), ({"text": 5}, "text is not a string: 5")])
def test_a_text_that_is_no_string_is_said(row: dict[str, Any], said: str) -> None:
    assert (record(row).problem, record(row).detail) == ("corrupt_record", said)


def test_a_null_text_is_not_replaced_by_another_field() -> None:
    assert record({"text": None, "content": "別"}).problem == "corrupt_record"


def test_a_missing_text_names_the_fields_that_are_there_and_the_remedy(tmp_path: Path) -> None:
    found = record({"id": "a", "article": "長い本文です", "url": "u"})
    assert found.problem == "corrupt_record"
    assert found.record_id == "a"
    assert (
        "the record has id, article, url; name the field that holds the text, such as --set fields.text=article" in found.detail
    )
    path = json_lines(tmp_path / "a.jsonl", {"article": "一"}, {"article": "二"})
    with pytest.raises(InputError, match=r"a\.jsonl: no record has a text: .*--set fields\.text=article"):
        read(path)
    assert [each.text for each in read(path, text="article")] == ["一", "二"]
    json_lines(path, {"article": "一"}, {"text": "二"})
    assert [each.problem for each in read(path)] == ["corrupt_record", ""]


def test_a_mapped_column_that_a_table_lacks_is_said(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "link": ["u"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"no column 'lnk'; it has text, link; .*--set fields\.url=COLUMN"):
        read(tmp_path / "a.parquet", url="lnk")
    assert read(tmp_path / "a.parquet", url="link")[0].url == "u"


def test_json_lines_and_parquet_give_the_same_records(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 3, "text": "一", "timestamp": "2019-04-01T00:00:00Z", "score": 0.25, "meta": {"url": "u", "tags": ["x", "y"]}},
        {"id": 4, "text": "二", "timestamp": "2020-04-01T00:00:00Z", "score": None, "meta": {"url": "v", "tags": []}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    from_lines, from_table = read(json_lines(tmp_path / "a.jsonl", *rows)), read(tmp_path / "a.parquet")
    assert [each._replace(offset=0, length=0) for each in from_lines] == [
        each._replace(offset=0, length=0) for each in from_table
    ]
    assert [each.date for each in from_table] == ["2019-04-01T00:00:00Z", "2020-04-01T00:00:00Z"]


def test_times_of_parquet_and_of_pandas_are_iso_8601_in_utc() -> None:
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    for date in (
        datetime.datetime(2019, 4, 1, 9, tzinfo=tokyo),
        datetime.datetime(2019, 4, 1),
        1554076800,
        1554076800000,
    ):
        assert record({"text": "t", "date": date}).date == "2019-04-01T00:00:00Z"
    assert [record({"text": "t", "date": date}).date for date in (2019, 20190401, datetime.date(2019, 4, 1))] == [
        "2019",
        "20190401",
        "2019-04-01",
    ]


def test_ids_that_pandas_made_floats_are_whole_again() -> None:
    assert [record({"text": "t", "id": number}).record_id for number in (12.0, 12, "12", 1.5, math.nan, None)] == [
        *("12", "12", "12", "1.5", "", "")
    ]


def test_metadata_is_the_same_bytes_for_equal_values() -> None:
    assert canonical_json({"b": 1, "a": [1.0, math.nan, -math.inf]}) == canonical_json({"a": [1.0, None, None], "b": 1})
    assert canonical_json({"b": b"\xff", "d": decimal.Decimal("0.5"), "s": "\ud800", "t": datetime.timedelta(seconds=2)}) == (
        '{"b":"/w==","d":0.5,"s":"?","t":2.0}'
    )


def test_fields_that_are_nested_too_deeply_are_one_bad_record() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert record({"text": "t", "deep": deep}).problem == "corrupt_record"
