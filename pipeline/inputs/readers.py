"""The formats of inputs: which suffix is read by which function, and how to bring what is not read.

A new format is a row in READERS. Its function reads a seekable stream of the file's bytes.
"""

from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from pipeline.inputs.arc import read_arc
from pipeline.inputs.config import FieldsConfig
from pipeline.inputs.delimited import read_delimited
from pipeline.inputs.fields import require_texts
from pipeline.inputs.json_files import read_json
from pipeline.inputs.parquet import read_parquet
from pipeline.inputs.plain_text import read_text
from pipeline.inputs.record import InputError, Limits, Record, Source
from pipeline.inputs.wacz import read_wacz
from pipeline.inputs.warc import read_warc, record_starts_after

Read = Callable[[IO[bytes], Source, Limits, FieldsConfig], Iterator[Record]]


class Reader(NamedTuple):
    """A format: its name, the suffixes of its files, and what reads them."""

    name: str
    suffixes: tuple[str, ...]
    read: Read


def _packed(*suffixes: str) -> tuple[str, ...]:
    return tuple(suffix + packer for suffix in suffixes for packer in ("", ".gz", ".zst"))


def _read_warc(stream: IO[bytes], source: Source, limits: Limits, _fields: FieldsConfig) -> Iterator[Record]:
    start = record_starts_after(stream, source.start) if source.start else 0
    if start is not None:
        yield from read_warc(stream, source.uri, start, source.end, limits.page_bytes)


def _read_json(stream: IO[bytes], source: Source, limits: Limits, fields: FieldsConfig) -> Iterator[Record]:
    return require_texts(read_json(stream, source, limits.text_bytes, fields), source.uri)


READERS = (
    Reader("WARC", _packed(".warc"), _read_warc),
    Reader("WET", _packed(".wet"), _read_warc),
    Reader("ARC", _packed(".arc"), lambda stream, source, limits, _: read_arc(stream, source.uri, limits.page_bytes)),
    Reader("WACZ", (".wacz",), lambda stream, source, limits, _: read_wacz(stream, source.uri, limits.page_bytes)),
    Reader("JSON lines", _packed(".jsonl", ".ndjson"), _read_json),
    Reader("JSON", _packed(".json"), _read_json),
    Reader(
        "CSV and TSV",
        _packed(".csv", ".tsv"),
        lambda stream, source, limits, fields: read_delimited(stream, source, limits.text_bytes, fields),
    ),
    Reader(
        "Parquet", (".parquet",), lambda stream, source, limits, fields: read_parquet(stream, source, limits.text_bytes, fields)
    ),
    Reader(
        "text, one file per document",
        _packed(".txt"),
        lambda stream, source, limits, _: read_text(stream, source, limits.text_bytes),
    ),
)


def reader_of(uri: str) -> Reader | None:
    """The reader for a file by its suffix, or None."""
    return next((reader for reader in READERS if uri.lower().endswith(reader.suffixes)), None)


def unknown_format(uri: str) -> InputError:
    """The error for a file that no reader knows: it names what is known, and how to convert the file if that is known."""
    known = "; ".join(f"{reader.name} ({', '.join(reader.suffixes)})" for reader in READERS)
    advice = next((f"{advice}. " for suffix, advice in _CONVERSIONS.items() if uri.lower().endswith(suffix)), "")
    return InputError(f"{uri}: unknown format. {advice}Known are {known}, and lists of inputs (.paths, .paths.gz)")


_CONVERSIONS = {
    **dict.fromkeys((".bz2", ".xz", ".lz4", ".br"), "Unpack it, or pack it again with gzip or zstd"),
    **dict.fromkeys((".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar"), "Unpack it and name the files"),
    **dict.fromkeys((".arrow", ".feather", ".orc", ".avro", ".xlsx", ".xls"), "Convert it to Parquet, CSV or JSON lines"),
    **dict.fromkeys((".html", ".htm"), "Pack the pages into a WARC file, so that each has its URL: wget --warc-file"),
    **dict.fromkeys((".pdf", ".docx", ".doc", ".epub", ".xml", ".md"), "Extract its text, as JSON lines with a field text or as .txt"),
}
