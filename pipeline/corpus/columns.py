"""Reads a corpus part by part: the documents that reached a stage, and their rows in other tables.

Tables are joined by `doc_id` within one part.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus import layout
from pipeline.errors import UserError


class StaleCorpusError(UserError):
    """Files of a corpus do not match, or were made by an older version; the message says what to run."""


def batches(root: Path, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of the Parquet file `name`, so that memory does not grow with the file. Raises OSError."""
    with pq.ParquetFile(root / name) as parquet:
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group, columns=columns)


def read(root: Path, name: str, columns: Sequence[str]) -> pa.Table:
    """Columns of a whole Parquet file, which must be small. Raises KeyError for a missing column and OSError for a missing file.

    One thread reads: at this size that takes a third of the processor time of several threads.
    """
    with pq.ParquetFile(root / name, pre_buffer=False) as parquet:
        return parquet.read(columns=list(columns), use_threads=False).select(list(columns))


def read_known(root: Path, name: str, schema: pa.Schema) -> pa.Table:
    """The columns of `schema` from a small Parquet file. A missing column is null; a missing file has no rows."""
    if not (root / name).exists():
        return schema.empty_table()
    with pq.ParquetFile(root / name, pre_buffer=False) as parquet:
        there = [field.name for field in schema if field.name in parquet.schema_arrow.names]
        found = parquet.read(columns=there, use_threads=False)
        nulls = {field.name: pa.nulls(parquet.metadata.num_rows, field.type) for field in schema}
    return pa.table({**nulls, **{column: found[column] for column in there}}).cast(schema)


def column_of(table: pa.Table, name: str, doc_ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of `table` in the order of `doc_ids` (N,); null for a document without a row in the table."""
    if table["doc_id"].equals(doc_ids):
        return table[name]
    return table[name].take(pc.index_in(doc_ids, value_set=table["doc_id"].combine_chunks()))


def rows_of(root: Path, name: str, doc_ids: Collection[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of some documents in a file that may hold texts, as dicts of `columns`, which must include doc_id.

    A missing file has no rows. Only row groups with one of the documents are read: callers want about a dozen documents, and all
    texts of a part are about 100 MB.
    """
    if not (root / name).exists():
        return []
    wanted = pa.array(sorted(doc_ids), pa.string())
    with pq.ParquetFile(root / name, pre_buffer=False) as parquet:
        rows = np.flatnonzero(pc.is_in(parquet.read(["doc_id"], use_threads=False)["doc_id"], value_set=wanted))
        ends = np.cumsum([parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)])
        groups = np.unique(np.searchsorted(ends, rows, side="right")).tolist()
        found = parquet.read_row_groups(groups, list(columns), use_threads=False)
    chosen: list[dict[str, Any]] = found.filter(pc.is_in(found["doc_id"], value_set=wanted)).to_pylist()
    return chosen


def survivors(root: Path, stage: str, part: str) -> pa.Array:
    """The ids of the documents of `part` that `stage` kept, in the order of its verdicts. Raises OSError without verdicts."""
    verdicts = read(root, layout.verdicts(stage, part), ["doc_id", "kept"])
    return verdicts.filter(verdicts["kept"])["doc_id"].combine_chunks()


def documents(root: Path, part: str, columns: Sequence[str], kept: pa.Array | None = None) -> Iterator[pa.Table]:
    """Yield the documents of `part` in batches, in input order; only those in `kept`, if given. Raises OSError."""
    for batch in batches(root, layout.documents(part), columns):
        chosen = batch if kept is None else batch.filter(pc.is_in(batch["doc_id"], value_set=kept))
        if chosen.num_rows:
            yield chosen


def came_as_text(batch: pa.Table) -> list[bool]:
    """Whether each document of `batch`, by its column `extractor`, came as text (JSON lines, Parquet, WET) and not as a page."""
    flags: list[bool] = pc.equal(batch["extractor"], "").to_pylist()
    return flags


def aligned(table: pa.Table, doc_ids: pa.ChunkedArray) -> pa.Table:
    """The rows of `table` in the order of `doc_ids`. Raises KeyError if a document has no row."""
    index = pc.index_in(doc_ids, value_set=table["doc_id"].combine_chunks())
    if index.null_count:
        missing = doc_ids.filter(pc.is_null(index))[0].as_py()
        raise KeyError(f"document {missing} has no row in a table that must have one for each document")
    return table.take(index)


def numbers(table: pa.Table, columns: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Columns as numpy arrays (N,), with NaN for null."""
    return {name: table[name].to_numpy() for name in columns}


def stored(root: Path, name: str, columns: Sequence[str], optional: Sequence[str] = ()) -> pa.Table:
    """The `columns` of the file `name`, and the `optional` ones that it has. Raises StaleCorpusError without one of `columns`.

    One thread reads: at this size that takes a third of the processor time of several threads.
    """
    with pq.ParquetFile(root / name, pre_buffer=False) as parquet:
        table = parquet.read(columns=[*columns, *optional], use_threads=False)
    for column in columns:
        if column not in table.column_names:
            raise StaleCorpusError(
                f"{root / name} has no column {column!r}: the corpus was made by an older version; `run` its manifest again first"
            )
    return table.combine_chunks()


def check_ids(root: Path, name: str, found: pa.ChunkedArray, expected: pa.Array) -> None:
    """Raise StaleCorpusError unless the ids `found` in the file `name` equal the `expected` ones, in order."""
    if not found.combine_chunks().equals(expected):
        raise StaleCorpusError(
            f"{root / name} does not hold the documents of the stage before it; `run` the corpus's manifest again"
        )
