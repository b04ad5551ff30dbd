"""The formats of inputs: which suffix is read by which function, which files may be cut into ranges, what to convert.

A new format is a row in FORMATS, and its function reads a seekable stream of the file's bytes into `Record`s.
"""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple
from urllib.parse import urlsplit

from pipeline.inputs.network.opening import open_stream
from pipeline.inputs.record import InputError, Record, Source
from pipeline.inputs.text_files import read_json_lines, read_parquet
from pipeline.inputs.warc import read_warc, record_starts_after

# From the bytes, the source and the limit on one body in bytes to the records that begin in the source's range.
Reader = Callable[[IO[bytes], Source, int], Iterator[Record]]


class Format(NamedTuple):
    """A format: its name, its suffixes in lower case, its reader, and the suffixes whose large files are cut into ranges.

    cut_by: what a range counts, bytes or Parquet's row groups.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    cut: tuple[str, ...] = ()
    cut_by: str = "bytes"


def _read_warc(stream: IO[bytes], source: Source, max_bytes: int) -> Iterator[Record]:
    start = record_starts_after(stream, source.start) if source.start else 0
    if start is not None:
        yield from read_warc(stream, source.uri, start, source.end, max_bytes)


def _read_parquet(stream: IO[bytes], source: Source, max_bytes: int) -> Iterator[Record]:  # noqa: ARG001  as every Reader
    return read_parquet(stream, source)


FORMATS: tuple[Format, ...] = (
    Format("WARC", (".warc", ".warc.gz", ".warc.zst"), _read_warc, cut=(".warc.gz",)),
    Format("WET", (".wet", ".wet.gz", ".wet.zst"), _read_warc, cut=(".wet.gz",)),
    Format(
        "JSON lines",
        (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".json.gz"),
        read_json_lines,
        cut=(".jsonl",),
    ),
    Format("Parquet", (".parquet",), _read_parquet, cut=(".parquet",), cut_by="row groups"),
)
# Files that list further inputs, one per line.
LIST_SUFFIXES = (".paths", ".paths.gz")

# What to do with files that are often brought along and are not read, by suffix.
CONVERSIONS: dict[str, str] = {
    **dict.fromkeys((".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".7z", ".rar"), "unpack it and name the folder"),
    **dict.fromkeys((".bz2", ".xz", ".lz4", ".br"), "unpack it, or pack it again with gzip or zstd"),
    **dict.fromkeys((".txt", ".md", ".text"), 'write JSON lines instead, one object {"text": …} per document'),
    **dict.fromkeys((".csv", ".tsv", ".json", ".xlsx", ".xls"), "convert it to JSON lines or Parquet with a column `text`"),
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


def read_records(source: Source, max_bytes: int) -> Iterator[Record]:
    """Yield the records of a source in file order; a body above `max_bytes` is flagged, not read.

    Raises InputError if the file cannot be opened, cannot be read to its end, has an unknown format, or is not Parquet with a
    column `text`; and NotWarcError if it is not WARC.
    """
    read_as = format_of(source.uri)
    if read_as is None:
        raise unknown_format(source.uri)
    with open_stream(source.uri, source.version) as stream:
        yield from read_as.read(stream, source, max_bytes)
