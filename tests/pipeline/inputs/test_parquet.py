"""Reading Parquet files, sound and damaged."""

import datetime
import decimal
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.inputs.config import DEFAULT_FIELDS
from pipeline.inputs.parquet import read_parquet
from pipeline.inputs.record import InputError, Limits, Record, Source

LIMITS = Limits(10_000, 10_000)


def written(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def records(content: bytes) -> list[Record]:
    return list(read_parquet(io.BytesIO(content), Source("a.parquet", 0, -1, ""), LIMITS, DEFAULT_FIELDS))


def outline(content: bytes) -> list[str]:
    return [record.problem or record.text for record in records(content)]


def not_utf_8(*values: bytes) -> pa.Array:
    binary = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), binary.buffers())


def test_a_value_that_is_not_utf_8_costs_its_row() -> None:
    first, bad, last = records(written({"text": not_utf_8(b"a", b"\xff", b"c")}))
    assert (first.text, bad.problem, last.text) == ("a", "corrupt_record", "c")
    assert bad.detail.startswith("text: ")
    assert [record.offset for record in (first, bad, last)] == [0, 1, 2]


@pytest.mark.parametrize(
    "dates",
    [
        pa.array([0, 1_700_000_000_123_456_789, None], pa.timestamp("ns", "UTC")),
        pa.array([{"seen": 1_700_000_000_123_456_789}, None, {"seen": None}], pa.struct([("seen", pa.timestamp("ns"))])),
        pa.array([[1_700_000_000_123_456_789], [], None], pa.list_(pa.timestamp("ns"))),
        pa.array([1, 86_399_999_999_999, None], pa.time64("ns")),
    ],
    ids=lambda dates: str(dates.type),
)
def test_times_in_nanoseconds_are_read(dates: pa.Array) -> None:
    assert outline(written({"text": ["a", "b", "c"], "date": dates})) == ["a", "b", "c"]


def test_a_date_out_of_range_costs_its_row() -> None:
    dates = pa.array([0, 2**55, 1], pa.timestamp("ms"))
    first, bad, last = records(written({"text": ["a", "b", "c"], "date": dates}))
    assert (first.text, bad.problem, last.text) == ("a", "corrupt_record", "c")
    assert bad.detail.startswith("date: ")


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["a", "b"], pa.large_string()),
        pa.array([b"a", b"b"], pa.binary()),
        pa.array([b"a", b"b"], pa.large_binary()),
        pa.array(["a", "b"]).dictionary_encode(),
    ],
    ids=lambda texts: str(texts.type),
)
def test_strings_of_every_type_are_texts(texts: pa.Array) -> None:
    assert outline(written({"text": texts})) == ["a", "b"]


@pytest.mark.parametrize(
    "value", [5, 1.5, True, decimal.Decimal("1.5"), ["a"], {"a": "b"}, datetime.date(2024, 1, 1), None, b"\xff"]
)
def test_what_is_no_string_is_no_text(value: object) -> None:
    record, other = records(written({"text": [value, value], "id": ["x", "y"]}))
    assert record.problem == other.problem == "corrupt_record"
    assert record.detail


@pytest.mark.parametrize("column", ["text", "note"])
def test_a_damaged_page_costs_as_little_as_it_can(column: str) -> None:
    texts = [f"text {number} " + "x" * 50 for number in range(400)]
    options: dict[str, Any] = {"row_group_size": 200, "use_dictionary": False, "compression": "none", "data_page_size": 1000}
    content = bytearray(written({"text": texts, "note": [f"note {text}" for text in texts]}, write_batch_size=10, **options))
    metadata = pq.ParquetFile(io.BytesIO(bytes(content))).metadata.row_group(0).column(("text", "note").index(column))
    middle = metadata.data_page_offset + metadata.total_compressed_size // 2
    content[middle : middle + 1500] = b"\xff" * 1500
    found = records(bytes(content))
    kept = [record.text for record in found if not record.problem]
    (said,) = (record for record in found if record.problem)
    assert kept[-200:] == texts[200:]
    assert column in said.detail
    if column == "note":
        assert kept == texts
    else:
        assert kept[:50] == texts[:50]
        assert f"{400 - len(kept)} rows from here on are lost" in said.detail


def test_a_text_above_the_limit_is_flagged() -> None:
    assert outline(written({"text": ["a", "あ" * 5_000, "b"]})) == ["a", "oversized_text", "b"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 nonsense PAR1", b"ORC nonsense" * 9], ids=range(4))
def test_what_is_no_parquet_is_said_in_one_line(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^a\.parquet is not a Parquet file, or its end is missing: .*$"):
        records(content)


def test_an_encrypted_file_is_said(tmp_path: Path) -> None:
    content = bytearray(written({"text": ["a"]}))
    content[:4] = content[-4:] = b"PARE"
    with pytest.raises(InputError, match=r"a\.parquet is (encrypted|not a Parquet file)"):
        records(bytes(content))
