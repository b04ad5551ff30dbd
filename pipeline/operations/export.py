"""Exports the final texts, those that were encoded, with their origin, as Parquet or JSON lines.

What is exported is handed on, so titles and addresses are masked like the texts. All files of an export have the same columns,
none of which is null or nested, so `datasets`, pandas and polars load them as they are.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import pyarrow as pa
import zstandard

from pipeline.corpus import layout
from pipeline.corpus.columns import StaleCorpusError, aligned, documents, read, survivors
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.writer import TableWriter, commit
from pipeline.editing import edits_of, sizes_after
from pipeline.errors import UserError
from pipeline.extract.config import DOCUMENT_SCHEMA
from pipeline.files import replacing
from pipeline.flow import EDITING, JUDGING
from pipeline.manifest import Manifest, read_manifest
from pipeline.measure.table import FEATURE_SCHEMA
from pipeline.pii.fields import masked, masked_json, masked_urls
from pipeline.text import edits
from pipeline.tokenize.cuts import id_numbers, is_validation

Format = Literal["parquet", "jsonl", "jsonl.zst"]


def _columns(kind: pa.DataType, *names: str) -> tuple[pa.Field, ...]:
    return tuple(pa.field(name, kind) for name in names)


_ALWAYS = (
    *_columns(pa.string(), "doc_id", "url", "host", "date", "title", "text", "warc_file"),
    *_columns(pa.int64(), "warc_offset"),
)
# What `--with` adds to these columns, by group.
GROUPS: Mapping[str, tuple[pa.Field, ...]] = {
    "split": _columns(pa.string(), "split"),
    "language": (*_columns(pa.string(), "lang"), *_columns(pa.float64(), "lang_score")),
    "metadata": _columns(pa.string(), "source_id", "metadata"),
    "numbers": (*_columns(pa.int64(), "final_tokens"), *FEATURE_SCHEMA),
}


def groups_of(names: Sequence[str]) -> list[str]:
    """The groups of columns that `--with` names, each name one or several with commas. Raises UserError for an unknown one."""
    groups = [group for name in names for group in name.split(",") if group]
    for group in groups:
        if group not in GROUPS:
            raise UserError(f"--with {group}: no such columns; known are {', '.join(GROUPS)}")
    return groups


def final_texts(ledger: Ledger, groups: Sequence[str] = ()) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Each part with its final texts, in batches: the texts after all edits, of the documents that every stage kept.

    groups: names of GROUPS, whose columns follow. Titles, URLs and metadata are masked as the corpus's manifest says.
    """
    manifest = read_manifest(str(ledger.root / layout.MANIFEST))
    query = "SELECT part FROM units WHERE stage = ? AND status = 'done' ORDER BY part"
    for (part,) in ledger.rows(query, JUDGING[-1]):
        yield part, _final(ledger.root, part, manifest, groups)


def export_texts(ledger: Ledger, target: Path, form: Format, groups: Sequence[str] = ()) -> tuple[int, int]:
    """Write the final texts to `target`, one file per part that has any; returns the numbers of documents and of files.

    Files of an earlier export in the same format are replaced or deleted. Raises UserError if `target` cannot be written.
    """
    count, written = 0, set()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for part, final in final_texts(ledger, groups):
            name = f"{part}.{form}"
            rows = _write_parquet(target, name, final, groups) if form == "parquet" else _write_lines(target / name, final)
            if rows:
                written.add(name)
                count += rows
        for path in target.iterdir():
            if re.fullmatch(rf"part-\d+\.{re.escape(form)}", path.name) and path.name not in written:
                path.unlink()
    except OSError as error:
        raise UserError(
            f"{error.filename or target} cannot be written: {error.strerror}; name another folder with --to"
        ) from error
    return count, len(written)


def _final(root: Path, part: str, manifest: Manifest, groups: Sequence[str]) -> Iterator[pa.Table]:
    kept = survivors(root, JUDGING[-1], part)
    settled = edits_of(root, part, EDITING)
    schema = _schema(groups)
    has_numbers = "numbers" in groups
    features = read(root, layout.features(part), ["doc_id", *FEATURE_SCHEMA.names]) if has_numbers else None
    sizes = sizes_after(root, part, EDITING) if has_numbers else None
    stored = [field.name for field in schema if field.name in DOCUMENT_SCHEMA.names]
    for batch in documents(root, part, stored, kept):
        if batch.num_columns < len(stored):
            raise StaleCorpusError(
                f"{root} was made by an older version, without source_id and metadata; `run` its manifest again"
            )
        columns: dict[str, Any] = {name: batch[name] for name in stored}
        doc_ids = batch["doc_id"].to_pylist()
        columns["text"] = [
            edits.apply(text, settled.get(doc_id, [])) for doc_id, text in zip(doc_ids, batch["text"].to_pylist(), strict=True)
        ]
        columns["title"] = masked(batch["title"].to_pylist(), manifest.pii)
        columns["url"] = masked_urls(batch["url"].to_pylist(), manifest.pii)
        if "metadata" in groups:
            columns["metadata"] = masked_json(batch["metadata"].to_pylist(), manifest.pii)
        if "split" in groups:
            in_validation = is_validation(id_numbers(doc_ids), manifest.tokenize.validation_share)
            columns["split"] = np.where(in_validation, "val", "train")
        if features is not None and sizes is not None:
            measured = aligned(features, batch["doc_id"])
            columns |= {name: measured[name] for name in FEATURE_SCHEMA.names}
            columns["final_tokens"] = aligned(sizes, batch["doc_id"])["n_tokens"]
        yield pa.table(columns, schema=schema)


def _schema(groups: Sequence[str]) -> pa.Schema:
    return pa.schema([*_ALWAYS, *(field for name, fields in GROUPS.items() if name in groups for field in fields)])


def _write_parquet(target: Path, name: str, tables: Iterator[pa.Table], groups: Sequence[str]) -> int:
    with TableWriter(target, name, _schema(groups)) as writer:
        for table in tables:
            writer.write(table)
        if writer.rows:
            commit(target, [writer.finish()])
        return writer.rows


def _write_lines(path: Path, tables: Iterator[pa.Table]) -> int:
    count = 0
    with ExitStack() as stack:
        for table in tables:
            if not count:
                stream: IO[bytes] = stack.enter_context(stack.enter_context(replacing(path)).open("wb"))
                packed: Any = stream
                if path.suffix == ".zst":
                    packed = stack.enter_context(zstandard.ZstdCompressor().stream_writer(stream))
            for row in table.to_pylist():
                # JSON has no NaN.
                finite = {name: None if value != value else value for name, value in row.items()}
                packed.write(json.dumps(finite, ensure_ascii=False).encode("utf-8") + b"\n")
            count += table.num_rows
    return count
