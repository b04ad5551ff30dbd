"""The formats of inputs: which suffix is read by which function, which files may be cut into ranges, what to convert.

A new format is a row in FORMATS, and its function reads a seekable stream of the file's bytes into `Record`s.
"""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple, cast
from urllib.parse import urlsplit

from pipeline.inputs.arc import read_arc
from pipeline.inputs.config import DEFAULT_FIELDS, FieldsConfig
from pipeline.inputs.delimited import read_delimited
from pipeline.inputs.fields import require_texts
from pipeline.inputs.json_files import read_json
from pipeline.inputs.network.opening import open_stream
from pipeline.inputs.parquet import read_parquet
from pipeline.inputs.plain_text import read_text
from pipeline.inputs.recent import Recent
from pipeline.inputs.record import InputError, Limits, Record, Source
from pipeline.inputs.wacz import read_wacz
from pipeline.inputs.warc import read_warc, record_starts_after

# From the bytes, the source, the limits and the names of fields to the records that begin in the source's range.
Reader = Callable[[IO[bytes], Source, Limits, FieldsConfig], Iterator[Record]]


class Format(NamedTuple):
    """A format: its name, its suffixes in lower case, its reader, and the suffixes whose large files are cut into ranges.

    cut_by: what a range counts, bytes or Parquet's row groups.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    cut: tuple[str, ...] = ()
    cut_by: str = "bytes"


def _packed(*suffixes: str) -> tuple[str, ...]:
    return tuple(suffix + packer for suffix in suffixes for packer in ("", ".gz", ".zst"))


def _read_warc(stream: IO[bytes], source: Source, limits: Limits, _fields: FieldsConfig) -> Iterator[Record]:
    recent = cast("IO[bytes]", Recent(stream))
    start = record_starts_after(recent, source.start) if source.start else 0
    if start is not None:
        yield from read_warc(recent, source.uri, start, source.end, limits.page_bytes)


def _read_json(stream: IO[bytes], source: Source, limits: Limits, fields: FieldsConfig) -> Iterator[Record]:
    return require_texts(read_json(stream, source, limits.text_bytes, fields), source.uri)


FORMATS: tuple[Format, ...] = (
    Format("WARC", _packed(".warc"), _read_warc, cut=(".warc.gz",)),
    Format("WET", _packed(".wet"), _read_warc, cut=(".wet.gz",)),
    Format("ARC", _packed(".arc"), lambda stream, source, limits, _: read_arc(stream, source.uri, limits.page_bytes)),
    Format("WACZ", (".wacz",), lambda stream, source, limits, _: read_wacz(stream, source.uri, limits.page_bytes)),
    Format("JSON lines", _packed(".jsonl", ".ndjson"), _read_json, cut=(".jsonl",)),
    Format("JSON, an array of objects or JSON lines", _packed(".json"), _read_json),
    Format("CSV and TSV with a header", _packed(".csv", ".tsv"), read_delimited),
    Format("Parquet", (".parquet",), read_parquet, cut=(".parquet",), cut_by="row groups"),
    Format("text, one document per file", _packed(".txt"), read_text),
)
# Files that list further inputs, one per line.
LIST_SUFFIXES = (".paths", ".paths.gz")

# What to do with files that are often brought along and are not read, by suffix.
CONVERSIONS: dict[str, str] = {
    **dict.fromkeys((".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".7z", ".rar"), "unpack it and name the folder"),
    **dict.fromkeys((".bz2", ".xz", ".lz4", ".br"), "unpack it, or pack it again with gzip or zstd"),
    **dict.fromkeys((".md", ".text"), 'give it the suffix .txt, or write JSON lines, one object {"text": …} per document'),
    **dict.fromkeys((".xlsx", ".xls"), "save it as CSV in UTF-8, with a column `text`"),
    **dict.fromkeys((".arrow", ".feather", ".orc", ".avro"), "convert it to Parquet with a column `text`"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "pack the pages into a WARC file, where each has its URL (warcio)"),
    **dict.fromkeys((".pdf", ".docx", ".doc", ".epub", ".xml"), "extract its text and write JSON lines with a field `text`"),
}


def file_name(uri: str) -> str:
    """The part of a path or URI that holds the suffix, in lower case: without the query and fragment of a web address."""
    path = urlsplit(uri).path if uri.lower().startswith(("http://", "https://")) else uri
    return path.rstrip("/").lower()


def format_of(uri: str) -> Format | None:
    """The format of a file by the suffix of its name; None if no reader knows it."""
    name = file_name(uri)
    return next((each for each in FORMATS if name.endswith(each.suffixes)), None)


def is_list(uri: str) -> bool:
    """Whether a file lists further inputs."""
    return file_name(uri).endswith(LIST_SUFFIXES)


def unknown_format(uri: str) -> InputError:
    """The error for a file that no reader knows: it names the known suffixes, and how to convert the file if that is known."""
    name = PurePosixPath(file_name(uri)).name
    known = "; ".join(f"{each.name} ({', '.join(each.suffixes)})" for each in FORMATS)
    advice = next((f"{advice}. " for suffix, advice in CONVERSIONS.items() if name.endswith(suffix)), "")
    return InputError(f"{uri}: unknown format; {advice}Known are {known}, and lists of inputs ({', '.join(LIST_SUFFIXES)})")


def read_records(
    source: Source, max_bytes: int, fields: FieldsConfig = DEFAULT_FIELDS, max_text_bytes: int | None = None
) -> Iterator[Record]:
    """Yield the records of a source in file order; a body above `max_bytes` is flagged, not read.

    fields: the names of fields in files of texts, whose records may have `max_text_bytes` (by default `max_bytes`). Raises
    InputError if the file cannot be opened, cannot be read to its end, is not of the format that its suffix says, or has no field
    of texts; and NotWarcError if it is not WARC.
    """
    read_as = format_of(source.uri)
    if read_as is None:
        raise unknown_format(source.uri)
    limits = Limits(max_bytes, max_bytes if max_text_bytes is None else max_text_bytes)
    with open_stream(source.uri, source.version) as stream:
        yield from read_as.read(stream, source, limits, fields)
