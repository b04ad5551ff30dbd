"""Reads records from JSON lines and Parquet files, whose texts are already extracted."""

import gzip
import io
import json
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline.inputs.record import InputError, Record, Source


def read_json_lines(stream: IO[bytes], source: Source, max_bytes: int) -> Iterator[Record]:
    """Yield one record per line: an object with `text`, and optionally `url`, `id`, `date`, `title`.

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
            yield _text_record(line, position)
        position += length


def _text_record(line: bytes, offset: int) -> Record:
    try:
        fields = json.loads(line)
    except ValueError as error:
        return Record(kind="text", offset=offset, problem="corrupt_record", detail=str(error), length=len(line))
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        return Record(kind="text", offset=offset, problem="corrupt_record", detail="no string 'text'", length=len(line))
    return _from_fields(fields, offset, len(line))


def _from_fields(fields: dict[str, object], offset: int, length: int) -> Record:
    def string(*names: str) -> str:
        value = next((fields[name] for name in names if fields.get(name) is not None), "")
        return str(value)

    return Record(
        kind="text",
        offset=offset,
        length=length,
        url=string("url", "uri"),
        date=string("date", "timestamp", "crawl_date"),
        record_id=string("id", "doc_id", "record_id"),
        title=string("title"),
        text=str(fields["text"]),
    )


def read_parquet(stream: IO[bytes], source: Source) -> Iterator[Record]:
    """Yield one record per row of a table with a column `text`; a record's offset is its row number.

    A null text is flagged `corrupt_record`. Raises InputError if the file is not Parquet or has no such column.
    """
    try:
        table = pq.ParquetFile(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{source.uri} is not a Parquet file: {error}") from error
    names = table.schema_arrow.names
    if "text" not in names:
        raise InputError(f"{source.uri} has no column 'text'; it has {', '.join(names)}")
    wanted = [name for name in ("text", "url", "uri", "id", "doc_id", "record_id", "date", "title") if name in names]
    end = table.num_row_groups if source.end < 0 else source.end
    offset = sum(table.metadata.row_group(group).num_rows for group in range(source.start))
    for batch in table.iter_batches(row_groups=list(range(source.start, end)), columns=wanted, batch_size=256):
        for fields in batch.to_pylist():
            if fields["text"] is None:
                yield Record(kind="text", offset=offset, problem="corrupt_record", detail="text is null")
            else:
                yield _from_fields(fields, offset, len(fields["text"]))
            offset += 1
