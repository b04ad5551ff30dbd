"""Writes the files of a corpus: workers write tables under temporary names, and only the driver gives final names."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.files import file_digest, sync, temporary_name

# Rows per batch: enough to spread the cost of a call over many documents, few enough that a batch of long pages (some hundred
# kB each) stays far below a worker's memory.
BATCH_ROWS = 512


class Output(NamedTuple):
    """A complete temporary file and its future name; `size` in bytes."""

    temporary: str
    final: str  # relative to the corpus folder
    digest: str  # BLAKE2b-128 of the bytes
    size: int
    rows: int


class TableWriter:
    """Writes one Parquet file: `write` tables of `schema`, then `finish` to get the `Output`. Raises OSError.

    Leaving the `with` block without `finish` removes the file.
    """

    def __init__(self, root: Path, final: str, schema: pa.Schema) -> None:
        self.final = final
        self.schema = schema
        target = root / final
        target.parent.mkdir(parents=True, exist_ok=True)
        self.temporary = temporary_name(target)
        self.rows = 0
        # Later stages depend on which documents survived, not on the thresholds that dropped the others.
        self.judges = "kept" in schema.names
        self._survivors = hashlib.blake2b(digest_size=16)
        self._writer: pq.ParquetWriter | None = pq.ParquetWriter(
            self.temporary,
            schema,
            compression="zstd",
            use_dictionary=[field.name for field in schema if field.name in _REPEATING_COLUMNS],
        )

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self.temporary.unlink(missing_ok=True)

    def write(self, table: pa.Table) -> None:
        """Append `table` as one row group; an empty table adds nothing. Raises ValueError after `finish`."""
        if self._writer is None:
            raise ValueError(f"{self.final} is finished; nothing can be added to it")
        if table.num_rows:
            self._writer.write_table(table.cast(self.schema))
            self.rows += table.num_rows
            if self.judges:
                for doc_id in table.filter(table["kept"])["doc_id"].to_pylist():
                    self._survivors.update(doc_id.encode())

    def survivors(self) -> str:
        """BLAKE2b-128 of the ids of the documents kept so far, in order, as 32 hex digits."""
        return self._survivors.hexdigest()

    def finish(self) -> Output:
        """Close, sync and hash the file, which keeps its temporary name until `commit`. Raises ValueError if called twice."""
        if self._writer is None:
            raise ValueError(f"{self.final} is finished already")
        self._writer.close()
        self._writer = None
        sync(self.temporary)
        size = self.temporary.stat().st_size
        return Output(str(self.temporary), self.final, file_digest(self.temporary), size, self.rows)


# Columns with few distinct values; the others (ids, texts, numbers) gain nothing from a dictionary.
_REPEATING_COLUMNS = frozenset(
    ["host", "charset", "charset_source", "warc_file", "lang", "extractor", "rule", "record_type", "kind", "detail"]
)


def commit(root: Path, outputs: list[Output]) -> None:
    """Rename each temporary file to its final name (replacing an older file) and sync the folders. Raises OSError."""
    folders = set()
    for output in outputs:
        final = root / output.final
        Path(output.temporary).replace(final)
        folders.add(final.parent)
    for folder in folders:
        sync(folder)
