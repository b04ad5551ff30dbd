"""Files that are whole or absent: written under a temporary name, synced, then renamed. Also the lock of a folder.

A worker of a run writes and hashes temporary files and never touches a final name; the driver renames them (`corpus.writer`).
All other code replaces files through `replacing`. So a file under a final name is always complete, whichever process is
killed.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TEMPORARY_SUFFIX = ".tmp"


def temporary_name(final: Path) -> Path:
    """A name beside `final`, unique to this process, that `remove_temporary_files` recognises."""
    return final.with_name(f".{final.name}.{os.getpid()}{TEMPORARY_SUFFIX}")


def file_digest(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes, as 32 hex digits. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that a rename is never on disk before the bytes it names. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` for a new file.

    If the block succeeds, the file is synced and replaces `path`; otherwise it is removed. Raises OSError.
    """
    temporary = temporary_name(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a small UTF-8 text file atomically; create its folder if needed. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; create the file and its folder if needed.

    It is the kernel's lock on an open file, so it is released however the process ends. Raises BlockingIOError if another
    process holds it, and another OSError if the file cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stream: IO[str] = path.open("a+")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def remove_temporary_files(root: Path) -> None:
    """Remove temporary files that a killed run left under `root`. The caller must hold the corpus's lock. Raises OSError."""
    for path in root.rglob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)
