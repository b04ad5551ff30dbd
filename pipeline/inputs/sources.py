"""Finds inputs (WARC, WET, JSON lines and Parquet, by path, glob or URI) and reads their records.

`resolve_inputs` turns the inputs of a manifest into `Source`s (whole files, or ranges of large ones). `read_records` turns a
source into `Record`s. A record that cannot be read is yielded with its `problem`, never skipped.
"""

import glob
import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import fsspec
import pyarrow.parquet as pq

from pipeline.inputs.config import DEFAULT_FIELDS, FieldsConfig
from pipeline.inputs.readers import reader_of, unknown_format
from pipeline.inputs.record import InputError, Limits, Record, Source

PATHS_SUFFIXES = (".paths", ".paths.gz")

# A Common Crawl WARC has about 1.1 GB. Much larger files are cut into ranges, so that no file occupies one worker for hours, and
# a restart does not repeat those hours.
SPLIT_BYTES = 2 * 2**30


def resolve_inputs(patterns: Sequence[str], paths_prefix: str = "", paths_limit: int | None = None) -> list[Source]:
    """All sources that `patterns` name, ordered by URI, each file once.

    A pattern is a path, a glob or an fsspec URI. A `.paths` file lists further names: only the first `paths_limit` are taken, and
    `paths_prefix` is put before each that is not a URI. Raises InputError if a pattern matches nothing, cannot be read, or names
    an unknown format.
    """
    uris: set[str] = set()
    for pattern in patterns:
        for uri in _expand(pattern):
            if uri.endswith(PATHS_SUFFIXES):
                uris.update(_read_paths(uri, paths_prefix, paths_limit))
            elif reader_of(uri) is not None:
                uris.add(uri)
            else:
                raise unknown_format(uri)
    return [source for uri in sorted(uris) for source in _split(uri)]


def _expand(pattern: str) -> list[str]:
    """The files that a pattern names; local ones as absolute real paths, so that a file with two names is found once."""
    if "://" not in pattern:
        matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207  Path.glob takes no absolute pattern
        found = [os.path.realpath(match) for match in matches if Path(match).is_file()]
        if not found:
            raise InputError(f"input {pattern!r} matches no file; relative names start at {Path.cwd()}")
        return found
    filesystem, path = _filesystem(pattern)
    if not glob.has_magic(pattern):
        return [pattern]
    found = [filesystem.unstrip_protocol(name) for name in sorted(filesystem.glob(path))]
    if not found:
        raise InputError(f"input {pattern!r} matches nothing there")
    return found


def _filesystem(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        found: tuple[fsspec.AbstractFileSystem, str] = fsspec.core.url_to_fs(uri)
        return found
    except (ImportError, ValueError) as error:
        raise InputError(f"{uri}: {error}; for s3:// install kotokura with its extra [s3]") from error


def _read_paths(uri: str, prefix: str, limit: int | None) -> list[str]:
    with open_stream(uri) as stream:
        content = stream.read()
    text = gzip.decompress(content) if uri.endswith(".gz") else content
    names = [line.strip() for line in text.decode("utf-8").splitlines() if line.strip()]
    if not names:
        raise InputError(f"{uri} lists no file")
    return [name if "://" in name else prefix + name for name in names[:limit]]


def _split(uri: str) -> list[Source]:
    filesystem, path = _filesystem(uri)
    try:
        info = filesystem.info(path)
    except FileNotFoundError as error:
        raise InputError(f"{uri}: no such file") from error
    except OSError as error:
        raise InputError(f"{uri}: {error}") from error
    changes = [info.get(name) for name in ("size", "mtime", "ETag", "LastModified", "etag", "last_modified")]
    identity = hashlib.blake2b(json.dumps([uri, *map(str, changes)]).encode(), digest_size=16).hexdigest()
    size = info.get("size") or 0
    if size <= SPLIT_BYTES or not uri.endswith((".warc.gz", ".wet.gz", ".jsonl", ".parquet")):
        return [Source(uri, 0, -1, identity)]
    if uri.endswith(".parquet"):
        with open_stream(uri) as stream:
            groups = pq.ParquetFile(stream).num_row_groups
        per_range = max(1, round(groups * SPLIT_BYTES / size))
        starts = list(range(0, groups, per_range))
    else:
        starts = list(range(0, size, SPLIT_BYTES))
    return [Source(uri, start, end, identity) for start, end in zip(starts, [*starts[1:], -1], strict=True)]


def open_stream(uri: str) -> IO[bytes]:
    """A seekable stream of the file's bytes, not decompressed. Raises InputError if it cannot be opened."""
    filesystem, path = _filesystem(uri)
    try:
        stream: IO[bytes] = filesystem.open(path, "rb")
        return stream
    except OSError as error:
        raise InputError(f"{uri} cannot be opened: {error}") from error


def read_records(
    source: Source, max_bytes: int, fields: FieldsConfig = DEFAULT_FIELDS, max_text_bytes: int | None = None
) -> Iterator[Record]:
    """Yield the records of a source in file order; a body above `max_bytes` is flagged, not read.

    fields: the names of fields in files of texts, whose records may have `max_text_bytes` (by default `max_bytes`). Raises InputError if the file cannot be opened, is not of the format that its
    suffix says, or has no field of texts, and NotWarcError if it is not WARC.
    """
    reader = reader_of(source.uri)
    if reader is None:
        raise unknown_format(source.uri)
    with open_stream(source.uri) as stream:
        limits = Limits(max_bytes, max_bytes if max_text_bytes is None else max_text_bytes)
        yield from reader.read(stream, source, limits, fields)
