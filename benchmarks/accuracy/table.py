"""Shared by all modules of `benchmarks/accuracy`: the table with its rows, and the labelled pages that the modules read."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from rich.table import Table

from pipeline.extract.http_body import decode_body
from pipeline.inputs.formats import read_records
from pipeline.inputs.sources import resolve_inputs

MAX_PAGE_BYTES = 10_000_000  # the pipeline's own default; no page of the corpus is larger


class Row(NamedTuple):
    """One program on one subject; `figures` as printed."""

    subject: str
    program: str
    figures: str


class Page(NamedTuple):
    """A page of the corpus: its unpacked bytes, the charset that the server named, and its row of `LABELS.parquet`."""

    body: bytes
    http_charset: str | None
    label: dict[str, object]


def is_installed(package: str) -> bool:
    """Whether a peer can be imported; peers are not dependencies of the project (`benchmarks/requirements/peers.txt`)."""
    return importlib.util.find_spec(package) is not None


def not_installed(subject: str, program: str) -> Row:
    """The row of a peer that is not installed."""
    return Row(subject, program, "not installed; see benchmarks/requirements/peers.txt")


def pages_of(corpus: Path, pattern: str = "*.warc.gz") -> Iterator[Page]:
    """The pages of the shards of `corpus` that `pattern` names, in the order of the shards."""
    labels = {(row["shard"], row["offset"]): row for row in pq.read_table(corpus / "LABELS.parquet").to_pylist()}
    for source in resolve_inputs([str(corpus / pattern)]):
        for record in read_records(source, MAX_PAGE_BYTES):
            label = labels.get((Path(source.uri).name, record.offset))
            if label is not None:
                body = decode_body(record.body, record.transfer_encoding, record.content_encoding, MAX_PAGE_BYTES)
                yield Page(body, record.http_charset, label)


def table_of(rows: list[Row]) -> Table:
    """The rows as printed, with a line between subjects."""
    table = Table("subject", "program", "figures")
    for row, following in zip(rows, [*rows[1:], rows[-1]], strict=True):
        table.add_row(*row, end_section=row.subject != following.subject)
    return table
