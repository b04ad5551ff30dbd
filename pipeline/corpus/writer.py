"""Writing the files of a corpus: a table under a temporary name, then its final name, which only the driver gives."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.files import file_digest, sync, temporary_name

# Rows of one batch: enough to spread the cost of a call over many documents, few enough that a batch of long pages
# (some hundred kB each) stays far below a worker's memory.
BATCH_ROWS = 512


class Output(NamedTuple):
    """A complete temporary file and the name it is to get."""

    temporary: str
    final: str  # relative to the corpus folder
    digest: str  # BLAKE2b-128 of the bytes
    size: int
    rows: int


class TableWriter:
    """A Parquet file in the making: `write` tables of `schema`, then `finish` to get the `Output`.

    Leaving the `with` block without `finish` removes what was written.
    """

    def __init__(self, root: Path, final: str, schema: pa.Schema) -> None:
        self.final = final
        self.schema = schema
        target = root / final
        target.parent.mkdir(parents=True, exist_ok=True)
        self.temporary = temporary_name(target)
        self.rows = 0
        # A stage that follows a verdict reads who survived, not at which threshold the others fell.
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
        """Append `table` as one row group; an empty table adds nothing."""
        if self._writer is None:
            raise ValueError(f"{self.final} is finished; nothing can be added to it")
        if table.num_rows:
            self._writer.write_table(table.cast(self.schema))
            self.rows += table.num_rows
            if self.judges:
                for doc_id in table.filter(table["kept"])["doc_id"].to_pylist():
                    self._survivors.update(doc_id.encode())

    def survivors(self) -> str:
        """The digest of the ids of the documents kept so far, in their order."""
        return self._survivors.hexdigest()

    def finish(self) -> Output:
        """Close, sync and hash the file; it keeps its temporary name until `commit`."""
        if self._writer is None:
            raise ValueError(f"{self.final} is finished already")
        self._writer.close()
        self._writer = None
        sync(self.temporary)
        size = self.temporary.stat().st_size
        return Output(str(self.temporary), self.final, file_digest(self.temporary), size, self.rows)


# Columns whose few values repeat; the others (ids, texts, numbers) gain nothing from a dictionary.
_REPEATING_COLUMNS = frozenset(
    ["host", "charset", "charset_source", "warc_file", "lang", "extractor", "rule", "record_type", "kind", "detail"]
)


def commit(root: Path, outputs: list[Output]) -> None:
    """Give each temporary file its final name (replacing an older one) and sync the folders."""
    folders = set()
    for output in outputs:
        final = root / output.final
        Path(output.temporary).replace(final)
        folders.add(final.parent)
    for folder in folders:
        sync(folder)
