"""What is known of inputs that are not on this machine, so that they are asked for once per corpus."""

from dataclasses import dataclass, field
from typing import NamedTuple


class RemoteFile(NamedTuple):
    """A file as its server described it.

    size: in bytes, -1 if the server does not tell. version: its ETag or Last-Modified, "" if it has neither. missing: why it
    cannot be had, "" if it can. row_groups: of a large Parquet file, -1 if they were not counted.
    """

    uri: str
    size: int = -1
    version: str = ""
    missing: str = ""
    row_groups: int = -1


@dataclass
class Listing:
    """The names behind remote lists and patterns, by (list or pattern, `paths_limit`), and the files by URI.

    What is missing is not in it, because it may come. asks_patterns: whether stores are asked which names match a pattern even if
    that is known; otherwise new files are not found.
    """

    names: dict[tuple[str, int | None], list[str]] = field(default_factory=dict)
    files: dict[str, RemoteFile] = field(default_factory=dict)
    asks_patterns: bool = True
