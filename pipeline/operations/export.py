"""Exports the final texts, those that were encoded, with their origin, as Parquet or JSON lines."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import zstandard

from pipeline.corpus.columns import documents, survivors
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.writer import TableWriter, commit
from pipeline.editing import edits_of
from pipeline.files import replacing
from pipeline.flow import EDITING, JUDGING
from pipeline.text import edits

_COLUMNS = ["doc_id", "url", "host", "date", "title", "text", "warc_file", "warc_offset"]
_SCHEMA = pa.schema([pa.field(name, pa.int64() if name == "warc_offset" else pa.string()) for name in _COLUMNS])


def final_texts(ledger: Ledger) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Each part with its final texts, in batches: the texts after all edits, of the documents that every stage kept."""
    query = "SELECT part FROM units WHERE stage = ? AND status = 'done' ORDER BY part"
    for (part,) in ledger.rows(query, JUDGING[-1]):
        kept = survivors(ledger.root, JUDGING[-1], part)
        settled = edits_of(ledger.root, part, EDITING)
        yield part, map(partial(_final, settled=settled), documents(ledger.root, part, _COLUMNS, kept))


def export_texts(ledger: Ledger, target: Path, form: str) -> tuple[int, int]:
    """Write the final texts to `target`, one file per part; returns the numbers of documents and of files.

    form: `parquet`, or `jsonl` (zstd-compressed, `part-00000.jsonl.zst`). Raises OSError if `target` cannot be written.
    """
    count, files = 0, 0
    target.mkdir(parents=True, exist_ok=True)
    for part, final in final_texts(ledger):
        files += 1
        if form == "parquet":
            with TableWriter(target, f"{part}.parquet", _SCHEMA) as writer:
                for table in final:
                    writer.write(table)
                output = writer.finish()
            commit(target, [output])
            count += output.rows
        else:
            path = target / f"{part}.jsonl.zst"
            with (
                replacing(path) as temporary,
                temporary.open("wb") as stream,
                zstandard.ZstdCompressor().stream_writer(stream) as packed,
            ):
                for table in final:
                    for row in table.to_pylist():
                        packed.write(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
                    count += table.num_rows
    return count, files


def _final(batch: pa.Table, settled: dict[str, list[edits.Edit]]) -> pa.Table:
    texts = [
        edits.apply(text, settled.get(doc_id, []))
        for doc_id, text in zip(batch["doc_id"].to_pylist(), batch["text"].to_pylist(), strict=True)
    ]
    return batch.set_column(batch.column_names.index("text"), "text", pa.array(texts, pa.string())).select(_COLUMNS)
