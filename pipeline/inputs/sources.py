"""Finds the inputs that a manifest names, by path, folder, pattern, URI or list, and looks them up.

`resolve_inputs` gives them as `Source`s: whole files, or ranges of large ones. Local files are looked at each time. Remote ones
are asked for many at a time, and only if the `Listing` does not know them.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pyarrow.parquet as pq

from pipeline.inputs.formats import Format, format_of, is_list, unknown_format
from pipeline.inputs.listing import Listing, RemoteFile
from pipeline.inputs.names import absolute, local_files
from pipeline.inputs.network.opening import file_system_of, is_web_address, open_stream, scheme_of, store_errors
from pipeline.inputs.record import InputError, Source

# A Common Crawl WARC has about 1.1 GB. Much larger files are cut into ranges, so that no file occupies one worker for hours, and
# a restart does not repeat those hours.
SPLIT_BYTES = 2 * 2**30
# Questions to a store at a time; its library has a thread per question.
STORE_AT_A_TIME = 64
# `?` begins the query of a web address, so it is no pattern in a URI.
_PATTERN = re.compile(r"[*\[]")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def _no_word(done: int, total: int) -> None:
    """Say nothing about the progress."""


def resolve_inputs(
    patterns: Sequence[str],
    paths_prefix: str = "",
    paths_limit: int | None = None,
    listing: Listing | None = None,
    looked_up: Callable[[int, int], None] = _no_word,
) -> list[Source]:
    """All sources that `patterns` name, ordered by URI, each file once.

    A pattern is a path, a folder, a glob or a URI. A `.paths` file lists further names: only the first `paths_limit` are taken,
    and `paths_prefix` is put before each that is not a URI. A name in a list that does not exist is a source all the same, which
    fails when it is read.

    listing: what is known of remote inputs; what is asked is added to it, whether the call succeeds or not. looked_up: called
    with the numbers of remote files that are looked up and that were to be. Raises InputError if a pattern matches nothing,
    cannot be read, or names an unknown format, or if a server cannot be reached.
    """
    listing = listing or Listing()
    named: set[str] = set()
    listed: set[str] = set()
    for pattern in patterns:
        for uri in _expand(pattern, listing):
            if is_list(uri):
                listed.update(_listed(uri, paths_prefix, paths_limit, listing))
            elif format_of(uri) is None:
                raise unknown_format(uri)
            else:
                named.add(uri)
    missing = _look_up(sorted(named | listed), listing, looked_up)
    for uri in sorted(named):
        if uri in missing:
            raise InputError(f"{uri}: {missing[uri]}")
    return [source for uri in sorted(named | listed) for source in _sources(uri, listing, uri in missing)]


def _expand(pattern: str, listing: Listing) -> list[str]:
    """The files that a pattern names."""
    if scheme_of(pattern) in ("", "file"):
        return local_files(pattern)
    uri = _one_spelling(pattern)
    is_folder = uri.endswith("/") or (not is_web_address(uri) and format_of(uri) is None and not is_list(uri))
    if not is_folder and not _PATTERN.search(uri):
        return [uri]
    if (uri, None) in listing.names and not listing.asks_patterns:
        return listing.names[(uri, None)]
    if is_web_address(uri) and is_folder:
        raise InputError(f"{uri}: a folder on a web server cannot be listed; name its files, a .paths list of them, or a pattern")
    found = _matching(uri, listing)
    listing.names[(uri, None)] = found
    return found


def _one_spelling(uri: str) -> str:
    """A web address without what makes no difference: the case of scheme and host, the default port, the fragment."""
    if not is_web_address(uri):
        return uri
    try:
        parts = urlsplit(uri)
        login, at, host = parts.netloc.rpartition("@")
        host = host.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
        return urlunsplit((parts.scheme, login + at + host, parts.path, parts.query, ""))
    except ValueError as error:
        raise InputError(f"{uri} is no valid web address: {error}") from error


def _matching(uri: str, listing: Listing) -> list[str]:
    """The files in a store that are named so, match a pattern, or are in a folder; the store describes them by the way."""
    with store_errors(uri):
        file_system, path = file_system_of(uri)
        if file_system.isfile(path):
            return [uri]
        pattern = path if _PATTERN.search(path) else f"{path.rstrip('/')}/**"
        found = {file_system.unstrip_protocol(name): info for name, info in file_system.glob(pattern, detail=True).items()}
    names = sorted(name for name, info in found.items() if info.get("type") != "directory")
    if pattern != path:  # of a folder, what can be read
        names = [name for name in names if format_of(name) is not None]
    if not names:
        raise InputError(f"input {uri!r} matches nothing there")
    if not is_web_address(uri):
        listing.files.update({name: _described(name, found[name]) for name in names})
    return names


def _described(uri: str, info: dict[str, object]) -> RemoteFile:
    """A file as fsspec describes it; each store has a field of its own that tells its state."""
    names = ("ETag", "LastModified", "etag", "last_modified", "mtime", "last_commit", "blob_id", "md5Hash", "updated")
    size = info.get("size")
    return RemoteFile(uri, size if isinstance(size, int) else -1, " ".join(str(info[name]) for name in names if info.get(name)))


def _listed(uri: str, prefix: str, limit: int | None, listing: Listing) -> list[str]:
    """The URIs and paths that a list names; blank lines and those that begin with `#` are passed over."""
    is_remote = bool(scheme_of(uri))
    names = listing.names.get((uri, limit)) if is_remote else None
    if names is None:
        with open_stream(uri) as stream:
            content = stream.read()
        try:
            text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8-sig")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise InputError(f"{uri} is no list of inputs, a UTF-8 text with one name per line: {error}") from error
        lines = [line.strip() for line in text.splitlines()]
        names = [line for line in lines if line and not line.startswith("#")][:limit]
        if not names:
            raise InputError(f"{uri} lists no file")
        if is_remote:
            listing.names[(uri, limit)] = names
    return [_listed_name(name if scheme_of(name) else prefix + name, uri, is_remote) for name in names]


def _listed_name(name: str, uri: str, is_remote: bool) -> str:
    if scheme_of(name) not in ("", "file"):
        return _one_spelling(name)
    if is_remote and not Path(name).is_absolute():
        raise InputError(
            f"{uri} names {name!r}, which is no URI: set paths_prefix to what comes before it, such as https://host/"
        )
    return absolute(name, Path.cwd() if is_remote else Path(uri).parent)


def _look_up(uris: Sequence[str], listing: Listing, looked_up: Callable[[int, int], None]) -> dict[str, str]:
    """Add the remote files among `uris` to the listing where they are not in it. Returns why each of the others is missing."""
    missing = {uri: "no such file" for uri in uris if not scheme_of(uri) and not Path(uri).is_file()}
    unknown = [uri for uri in uris if scheme_of(uri) and uri not in listing.files]
    if unknown:
        looked_up(0, len(unknown))
    for number, answer in enumerate(_answers(unknown), start=1):
        looked_up(number, len(unknown))
        if answer.missing:
            missing[answer.uri] = answer.missing
        else:
            listing.files[answer.uri] = answer
    return missing


def _answers(uris: Sequence[str]) -> Iterator[RemoteFile]:
    on_the_web = [uri for uri in uris if is_web_address(uri)]
    if on_the_web:
        from pipeline.inputs.network.look_up import look_up  # aiohttp takes 0.2 s to import

        yield from look_up(on_the_web)
    in_stores = [uri for uri in uris if not is_web_address(uri)]
    if in_stores:
        with ThreadPoolExecutor(STORE_AT_A_TIME) as threads:
            yield from threads.map(_ask_store, in_stores)


def _ask_store(uri: str) -> RemoteFile:
    with store_errors(uri):
        try:
            file_system, path = file_system_of(uri)
            return _described(uri, file_system.info(path))
        except FileNotFoundError:
            return RemoteFile(uri, missing="no such file")


def _sources(uri: str, listing: Listing, is_missing: bool) -> list[Source]:
    """A file as one source, or as ranges of about SPLIT_BYTES if it is larger and its format can be cut."""
    if is_missing:
        return [Source(uri, 0, -1, _identity(uri, "missing"))]
    if scheme_of(uri):
        file = listing.files[uri]
        size, version = file.size, file.version if is_web_address(uri) else ""
        identity = _identity(uri, file.size, file.version)
    else:
        state = Path(uri).stat()
        size, version, identity = state.st_size, "", _identity(uri, state.st_size, state.st_mtime_ns)
    read_as = format_of(uri)
    if read_as is None or size <= SPLIT_BYTES or not uri.endswith(read_as.cut):
        return [Source(uri, 0, -1, identity, version)]
    starts = _starts(uri, size, read_as, listing)
    return [Source(uri, start, end, identity, version) for start, end in zip(starts, [*starts[1:], -1], strict=True)]


def _starts(uri: str, size: int, read_as: Format, listing: Listing) -> list[int]:
    """Where the ranges of a large file begin."""
    if read_as.cut_by == "bytes":
        return list(range(0, size, SPLIT_BYTES))
    known = listing.files.get(uri)
    groups = known.row_groups if known is not None else -1
    if groups < 0:
        with open_stream(uri) as stream:
            groups = pq.ParquetFile(stream).num_row_groups
        if known is not None:
            listing.files[uri] = known._replace(row_groups=groups)
    return list(range(0, groups, max(1, round(groups * SPLIT_BYTES / size))))


def _identity(*state: object) -> str:
    return hashlib.blake2b(json.dumps([str(each) for each in state]).encode(), digest_size=16).hexdigest()
