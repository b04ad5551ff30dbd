"""Reads records from JSON lines and Parquet files, whose texts are already extracted."""

import gzip
import io
import json
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.fields import check_columns, record_of_row
from pipeline.inputs.record import InputError, Record, Source


def read_json_lines(stream: IO[bytes], source: Source, max_bytes: int, fields: FieldsConfig) -> Iterator[Record]:
    """Yield one record per line, which is an object; `fields` says where its text and other fields are.

    A range includes the lines that start in it. A bad line is flagged `corrupt_record`, a line above `max_bytes`
    `oversized_page`; a damaged compressed stream ends with a `corrupt_record`.
    """
    if source.uri.endswith(".gz"):
        lines: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=stream))
    elif source.uri.endswith(".zst"):
        lines = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True))
    else:
        lines = stream
    position = source.start
    if source.start:
        lines.seek(source.start - 1)
        position += len(lines.readline()) - 1
    while source.end < 0 or position < source.end:
        try:
            line = lines.readline(max_bytes + 1)
            length = len(line)
            while line and len(line) > max_bytes and not line.endswith(b"\n"):
                line = lines.readline(max_bytes + 1)
                length += len(line)
        except (OSError, EOFError, zstandard.ZstdError) as error:
            yield Record(kind="text", offset=position, problem="corrupt_record", detail=str(error))
            return
        if not length:
            return
        if length > max_bytes:
            yield Record(kind="text", offset=position, problem="oversized_page", length=length)
        elif line.strip():
            yield _text_record(line, fields, position)
        position += length


def _text_record(line: bytes, fields: FieldsConfig, offset: int) -> Record:
    try:
        row = json.loads(line)
    except ValueError as error:
        return Record(kind="text", offset=offset, problem="corrupt_record", detail=str(error), length=len(line))
    if not isinstance(row, dict):
        return Record(kind="text", offset=offset, problem="corrupt_record", detail="not an object", length=len(line))
    return record_of_row(row, fields, offset, len(line))


def read_parquet(stream: IO[bytes], source: Source, fields: FieldsConfig) -> Iterator[Record]:
    """Yield one record per row of a table; a record's offset is its row number, its length that of the text in characters.

    A row without a text is flagged `corrupt_record`. Raises InputError if the file is not Parquet, or has no column of texts.
    """
    try:
        table = pq.ParquetFile(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{source.uri} is not a Parquet file: {error}") from error
    check_columns(source.uri, table.schema_arrow.names, fields)
    end = table.num_row_groups if source.end < 0 else source.end
    offset = sum(table.metadata.row_group(group).num_rows for group in range(source.start))
    for batch in table.iter_batches(row_groups=list(range(source.start, end)), batch_size=256):
        for row in batch.to_pylist():
            record = record_of_row(row, fields, offset, 0)
            yield record._replace(length=len(record.text))
            offset += 1
