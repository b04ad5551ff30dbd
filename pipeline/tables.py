"""Reading a corpus part by part: documents that reached a stage, and what stands in other tables about them.

Everything is joined by `doc_id`, inside one part.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def batches(root: Path, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of the Parquet file `name`, one at a time, so that memory does not grow with the file."""
    with pq.ParquetFile(root / name) as parquet:
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group, columns=columns)


def read(root: Path, name: str, columns: Sequence[str]) -> pa.Table:
    """The columns of a whole (thin) Parquet file."""
    return pq.read_table(root / name, columns=list(columns), partitioning=None)


def survivors(root: Path, stage: str, part: str) -> pa.Array:
    """The ids of the documents that `stage` kept of `part`, in the order of its verdicts."""
    verdicts = read(root, f"verdicts/{stage}/{part}.parquet", ["doc_id", "kept"])
    return verdicts.filter(verdicts["kept"])["doc_id"].combine_chunks()


def documents(root: Path, part: str, columns: Sequence[str], kept: pa.Array | None = None) -> Iterator[pa.Table]:
    """The documents of `part` (those in `kept` alone, when given), a batch at a time, in the order of the input."""
    for batch in batches(root, f"documents/{part}.parquet", columns):
        chosen = batch if kept is None else batch.filter(pc.is_in(batch["doc_id"], value_set=kept))
        if chosen.num_rows:
            yield chosen


def aligned(table: pa.Table, doc_ids: pa.ChunkedArray) -> pa.Table:
    """The rows of `table` for `doc_ids`, in their order. Raises KeyError when one has no row."""
    index = pc.index_in(doc_ids, value_set=table["doc_id"].combine_chunks())
    if index.null_count:
        missing = doc_ids.filter(pc.is_null(index))[0].as_py()
        raise KeyError(f"document {missing} has no row in a table that must have one for each document")
    return table.take(index)


def numbers(table: pa.Table, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns as numpy arrays, null as NaN."""
    return {name: table[name].to_numpy() for name in columns}
