"""Reads records from Parquet files; a bad value, page or row group costs its own rows and no others."""

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.encodings import encoding_hint
from pipeline.inputs.fields import check_columns, record_of_row
from pipeline.inputs.json_files import corrupt_text, oversized
from pipeline.inputs.record import InputError, Limits, Record, Source

_BATCH_ROWS = 256
_BATCH_BYTES = 64 << 20  # rows may hold whole books
# What Arrow raises for bytes that it cannot read: ArrowInvalid is a ValueError, its I/O error a plain OSError.
_DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError, IndexError)


def read_parquet(stream: IO[bytes], source: Source, limits: Limits, fields: FieldsConfig) -> Iterator[Record]:
    """Yield one record per row; a record's offset is its row number, its length that of the text in characters.

    Flagged `corrupt_record`: a row without a text, a row with a value that cannot be read, and the rows of a row group after a
    damaged page (one record for all of them). A text above the limit is flagged `oversized_text`. Raises InputError if the file
    is not Parquet, is encrypted, or has no column of texts.
    """
    try:
        table = pq.ParquetFile(stream, page_checksum_verification=True)
        names = table.schema_arrow.names
        check_columns(source.uri, names, fields)
    except _DAMAGE as error:
        _raise_if_of_the_stream(error)
        reason = "is encrypted" if "crypt" in str(error) else "is not a Parquet file, or its end is missing"
        raise InputError(f"{source.uri} {reason}: {_said(error)}") from error
    end = table.num_row_groups if source.end < 0 else source.end
    offset = sum(table.metadata.row_group(group).num_rows for group in range(source.start))
    for group in range(source.start, end):
        yield from _row_group(table, group, offset, limits.text_bytes, fields)
        offset += table.metadata.row_group(group).num_rows


def _row_group(table: pq.ParquetFile, group: int, offset: int, max_bytes: int, fields: FieldsConfig) -> Iterator[Record]:
    """The records of a row group, and what is to be said of damage in it.

    Without a damaged column the rows are read if it is not the text's. Otherwise the rows before the damaged page are read.
    """
    rows = table.metadata.row_group(group).num_rows
    names: list[str] | None = None
    damage = ""
    batch_rows = _batch_rows(table, group)
    done = 0
    while True:
        at = 0
        try:
            for batch in table.iter_batches(row_groups=[group], columns=names, batch_size=batch_rows):
                for row in _rows(batch.slice(max(0, min(done - at, batch.num_rows)))):
                    yield _record(row, fields, offset + done, max_bytes)
                    done += 1
                at += batch.num_rows
            break
        except _DAMAGE as error:
            _raise_if_of_the_stream(error)
            if names is None:
                damaged = _damaged_columns(table, group)
                names = [name for name in table.schema_arrow.names if name not in damaged]
                damage = f"{_said(error)} in {', '.join(sorted(damaged)) or 'its pages'}"
                if any(path.partition(".")[0] in damaged for path in fields.text) or not damaged:
                    names = table.schema_arrow.names
            if batch_rows == 1:
                break
            batch_rows = 1 if names == table.schema_arrow.names else batch_rows
    if done < rows:
        yield corrupt_text(offset + done, f"{damage}: {rows - done} rows from here on are lost")
    elif damage:
        yield corrupt_text(offset, f"{damage}: the {rows} rows from here on are read without it")


def _damaged_columns(table: pq.ParquetFile, group: int) -> set[str]:
    damaged = set()
    for name in table.schema_arrow.names:
        try:
            for _ in table.iter_batches(row_groups=[group], columns=[name], batch_size=_batch_rows(table, group)):
                pass
        except _DAMAGE as error:
            _raise_if_of_the_stream(error)
            damaged.add(name)
    return damaged


def _batch_rows(table: pq.ParquetFile, group: int) -> int:
    about = table.metadata.row_group(group)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES * int(about.num_rows) // max(1, int(about.total_byte_size))))


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """Each row of a batch, or what is wrong with it where a value of it is none that Python knows."""
    batch = _without_nanoseconds(batch)
    try:
        yield from batch.to_pylist()
        return
    except _DAMAGE:
        pass
    for number in range(batch.num_rows):
        try:
            yield batch.slice(number, 1).to_pylist()[0]
        except _DAMAGE as error:
            yield f"{_bad_column(batch, number)}: {_said(error)}"


def _bad_column(batch: pa.RecordBatch, number: int) -> str:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column[number].as_py()
        except _DAMAGE:
            return f"{name}"
    return "a value"


def _without_nanoseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch` with times in microseconds, the finest that Python has."""
    schema = pa.schema([field.with_type(_type_without_nanoseconds(field.type)) for field in batch.schema])
    if schema == batch.schema:
        return batch
    try:
        return batch.cast(schema, safe=False)
    except _DAMAGE:
        return batch


def _type_without_nanoseconds(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_type_without_nanoseconds(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_type_without_nanoseconds(kind.value_type)))
    return kind


def _record(row: dict[str, Any] | str, fields: FieldsConfig, offset: int, max_bytes: int) -> Record:
    if isinstance(row, str):
        return corrupt_text(offset, row)
    for path in fields.text:  # files that older writers made have texts as bytes
        if isinstance(value := row.get(path), bytes):
            try:
                row = {**row, path: value.decode("utf-8")}
            except UnicodeDecodeError:
                return corrupt_text(offset, f"{path}: {encoding_hint(value)}", len(value))
    record = record_of_row(row, fields, offset, 0)
    length = len(record.text)
    if length * 4 > max_bytes and len(record.text.encode("utf-8", "replace")) > max_bytes:
        return oversized(offset, length)._replace(url=record.url, date=record.date, record_id=record.record_id)
    return record._replace(length=length)


def _said(error: BaseException) -> str:
    """Arrow's message on one line."""
    return " ".join(str(error).split())[:200]


def _raise_if_of_the_stream(error: BaseException) -> None:
    """Raise `error` again if the file could not be read, so that the input fails and is tried again."""
    if isinstance(error, OSError) and not (type(error) is OSError and error.errno is None):
        raise error
